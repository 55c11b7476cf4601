package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSV writes the timelines of a document as RFC 4180 has it, a line for each
// bucket: the run's number and scenario, when the bucket begins (in seconds),
// and what the JSON's timeline says of it. What is unknown is empty. A name that
// a spreadsheet would compute begins with an apostrophe.
func CSV(w io.Writer, doc Document) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	rows := [][]string{{"run", "scenario", "at_s", "bucket_s", "ok", "failed", "p50_ms", "p99_ms", "probe_failed", "workers_ready"}}
	for n, r := range doc.Reports() {
		t := &r.Timeline
		for i := range t.OK {
			ready := ""
			if t.WorkersReady[i] != nil {
				ready = strconv.Itoa(*t.WorkersReady[i])
			}
			rows = append(rows, []string{
				strconv.Itoa(n + 1), csvText(sideName(r)), csvNumber(float64(i) * t.BucketMS / 1e3), csvNumber(t.BucketMS / 1e3),
				strconv.FormatInt(t.OK[i], 10), strconv.FormatInt(t.Failed[i], 10), csvKnown(t.P50MS[i]), csvKnown(t.P99MS[i]),
				strconv.FormatInt(t.ProbeFailed[i], 10), ready,
			})
		}
	}
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// csvText keeps a spreadsheet from taking a text for a formula.
func csvText(s string) string {
	s = clean(s)
	if first := strings.TrimLeft(s, " "); first != "" && strings.ContainsAny(first[:1], "=+-@|%'") {
		return "'" + s
	}
	return s
}

func csvKnown(v *float64) string {
	if v == nil {
		return ""
	}
	return csvNumber(*v)
}

// csvNumber has microseconds at the most, so that no binary fraction shows.
func csvNumber(v float64) string {
	s := strconv.FormatFloat(v, 'f', 6, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

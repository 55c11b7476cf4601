package reports

import (
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
)

// Every bucket of every run is a line, and its figures are the JSON's.
func TestCSV(t *testing.T) {
	doc := NewSuite(richReport(), Fold(goldenRuns()["no-prober"]))
	text := rendered(t, "csv", doc)
	if strings.Count(text, "\r\n") != strings.Count(text, "\n") {
		t.Error("lines do not end as RFC 4180 wants")
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	line := 1
	for n, r := range doc.Reports() {
		for i := range r.Timeline.OK {
			row := rows[line]
			line++
			if row[0] != strconv.Itoa(n+1) || row[1] != r.Scenario.Name || row[4] != strconv.FormatInt(r.Timeline.OK[i], 10) || row[5] != strconv.FormatInt(r.Timeline.Failed[i], 10) {
				t.Fatalf("run %d, bucket %d: %q", n, i, row)
			}
			if at, _ := strconv.ParseFloat(row[2], 64); at < float64(i)*r.Timeline.BucketMS/1e3-1e-6 || at > float64(i)*r.Timeline.BucketMS/1e3+1e-6 {
				t.Fatalf("bucket %d is at %s", i, row[2])
			}
			if (row[7] == "") != (r.Timeline.P99MS[i] == nil) || (row[9] == "") != (r.Timeline.WorkersReady[i] == nil) {
				t.Fatalf("run %d, bucket %d: what is unknown is not empty: %q", n, i, row)
			}
		}
	}
	if line != len(rows) {
		t.Errorf("%d lines, want %d", len(rows), line)
	}
}

// No spreadsheet computes a scenario's name.
func TestCSVFormula(t *testing.T) {
	for name, want := range map[string]string{
		"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "+1": "'+1", "-1": "'-1", "@x": "'@x", "  =1": "'  =1",
		"\t=1": "' =1", "\r=1": `\x0d=1`, "worker-crash": "worker-crash", `a"b,c`: `a"b,c`, "": "",
	} {
		r := richReport()
		r.Scenario.Name = name
		rows, err := csv.NewReader(strings.NewReader(rendered(t, "csv", r))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[1][1]; got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

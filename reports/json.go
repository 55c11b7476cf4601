package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
)

// MaxSize is the size in bytes up to which [Read] takes a document.
const MaxSize = 256 << 20

// Write writes a report or a suite as indented JSON. The same document always
// gives the same bytes.
func Write(w io.Writer, doc Document) error {
	return writeJSON(w, doc)
}

func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // people read it, and no page is made of it as it stands
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Read reads what [Write] wrote: a [*Report] or a [*Suite]. It refuses what is
// no such document, one of another schema version, a truncated or contradictory
// one, and one of more than [MaxSize]. Fields it does not know are ignored:
// fields are only ever added.
func Read(r io.Reader) (Document, error) {
	return readLimited(r, MaxSize)
}

func readLimited(r io.Reader, limit int64) (Document, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read report: it is larger than %s, which no report of hachaos is", units.FormatBytes(limit))
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, errors.New("read report: it is empty")
	}
	doc, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	return doc, nil
}

func decode(b []byte) (Document, error) {
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, jsonError(b, err)
	}
	switch {
	case head.Schema == nil:
		return nil, fmt.Errorf("it has no schema: a report of hachaos says %q", Schema)
	case *head.Schema == Schema:
		r := new(Report)
		if err := json.Unmarshal(b, r); err != nil {
			return nil, jsonError(b, err)
		}
		return r, complete(r)
	case *head.Schema == SuiteSchema:
		s := new(Suite)
		if err := json.Unmarshal(b, s); err != nil {
			return nil, jsonError(b, err)
		}
		if len(s.Runs) == 0 {
			return nil, errors.New("the suite has no runs")
		}
		for i, r := range s.Runs {
			if r == nil {
				return nil, fmt.Errorf("run %d of the suite is null", i+1)
			}
			if r.Schema != Schema {
				return nil, fmt.Errorf("run %d of the suite has schema %q; this hachaos reads %q", i+1, r.Schema, Schema)
			}
			if err := complete(r); err != nil {
				return nil, fmt.Errorf("run %d of the suite: %w", i+1, err)
			}
		}
		return s, s.Comparison.check()
	}
	return nil, fmt.Errorf("it has schema %q; this hachaos reads %q and %q", *head.Schema, Schema, SuiteSchema)
}

// jsonError says where the JSON is wrong, as line and column.
func jsonError(b []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(bytes.TrimRight(b, " \t\r\n"))) && !json.Valid(b) && unfinished(syntax):
		return fmt.Errorf("it is cut off after %s: %w", units.FormatBytes(int64(len(b))), err)
	case errors.As(err, &syntax):
		hint := ""
		if at := int(syntax.Offset) - 1; at >= 0 && at < len(b) && slices.Contains([]byte("NI"), b[at]) {
			hint = " (NaN and Infinity are no JSON; what is unknown is null)"
		}
		return fmt.Errorf("it is no JSON at %s: %w%s", position(b, syntax.Offset), err, hint)
	case errors.As(err, &kind):
		return fmt.Errorf("%s at %s is %s, which does not fit there", fieldName(kind.Field), position(b, kind.Offset), article(kind.Value))
	}
	return err
}

func unfinished(err *json.SyntaxError) bool { return err.Error() == "unexpected end of JSON input" }

func fieldName(field string) string {
	if field == "" {
		return "the document"
	}
	return field
}

func position(b []byte, offset int64) string {
	before := b[:min(max(0, offset-1), int64(len(b)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return fmt.Sprintf("line %d, column %d", line, column)
}

// maxDurationS is longer than any run, in seconds: three hundred years.
const maxDurationS = 1e10

// complete checks that a report that was read does not contradict itself, and
// puts empty lists where it has none, so that renderers need not care.
func complete(r *Report) error {
	if !slices.Contains([]Verdict{Pass, Fail, Inconclusive, Error, Interrupted, Aborted}, r.Verdict) {
		return fmt.Errorf("verdict %q is none", r.Verdict)
	}
	if err := r.Timeline.check(); err != nil {
		return err
	}
	for name, v := range map[string]*float64{
		"availability.availability": r.Availability.Availability,
		"availability.uptime":       r.Availability.Uptime,
	} {
		if v != nil && (*v < 0 || *v > 1) {
			return fmt.Errorf("%s is %v, which is no ratio from 0 to 1", name, *v)
		}
	}
	if err := r.Projection.check(); err != nil {
		return err
	}
	if d := r.DurationS; d < 0 || d > maxDurationS {
		return fmt.Errorf("duration_s is %v, which no run lasts", d)
	}
	notNil(&r.Reasons)
	notNil(&r.Warnings)
	notNil(&r.Load)
	notNil(&r.Probes)
	notNil(&r.Faults)
	notNil(&r.Events)
	notNil(&r.SLOs)
	notNil(&r.Resources)
	notNil(&r.Practices)
	notNil(&r.Availability.Outages)
	return nil
}

func notNil[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

// check returns an error if a figure is missing that others are made of.
func (p *Projection) check() error {
	if p == nil {
		return nil
	}
	notNil(&p.Faults)
	if p.AllowedS != nil && p.Objective == nil {
		return errors.New("projection.allowed_s is what an objective allows, and projection.objective is null")
	}
	for i, f := range p.Faults {
		switch {
		case p.Availability != nil && (f.MeanLostS == nil || f.DowntimeS == nil):
			return fmt.Errorf("projection.availability is known, but not what fault %d of it costs", i+1)
		case f.BearablePerYear != nil && p.Objective == nil:
			return fmt.Errorf("projection.faults[%d].bearable_per_year is of an objective, and projection.objective is null", i)
		}
	}
	return nil
}

// check returns an error if nothing was compared, though it says so.
func (c *Comparison) check() error {
	if c == nil {
		return nil
	}
	if len(c.Sides) == 0 {
		return errors.New("comparison has no sides")
	}
	notNil(&c.Pairs)
	notNil(&c.Notes)
	return nil
}

func (t *Timeline) check() error {
	n := len(t.OK)
	for _, list := range []struct {
		name string
		n    int
	}{
		{"failed", len(t.Failed)}, {"p50_ms", len(t.P50MS)}, {"p99_ms", len(t.P99MS)},
		{"probe_failed", len(t.ProbeFailed)}, {"workers_ready", len(t.WorkersReady)},
	} {
		if list.n != n {
			return fmt.Errorf("timeline.%s has %s and timeline.ok has %d: they must be equally long", list.name, countOf(int64(list.n), "bucket"), n)
		}
	}
	if n > 0 && (t.BucketMS <= 0 || t.BucketMS > 1e3*maxDurationS) {
		return fmt.Errorf("timeline.bucket_ms is %v, which is no width", t.BucketMS)
	}
	notNil(&t.OK)
	notNil(&t.Failed)
	notNil(&t.P50MS)
	notNil(&t.P99MS)
	notNil(&t.ProbeFailed)
	notNil(&t.WorkersReady)
	return nil
}

// article puts "a" or "an" before a word.
func article(word string) string {
	if strings.ContainsAny(word[:min(1, len(word))], "aeiou") {
		return "an " + word
	}
	return "a " + word
}

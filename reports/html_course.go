package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
)

// htmlCourse is a run's course as the page's script draws it. Times are in
// seconds.
type htmlCourse struct {
	ID      string       `json:"id"`
	Bucket  float64      `json:"bucket"`
	OK      []int64      `json:"ok"`
	Failed  []int64      `json:"failed"`
	P50     []*float64   `json:"p50"`
	P99     []*float64   `json:"p99"`
	Ready   []*int       `json:"ready"`
	Faults  []htmlMarker `json:"faults"`
	Outages []htmlMarker `json:"outages"`
}

// htmlMarker is a fault or an outage on a chart.
type htmlMarker struct {
	ID    string  `json:"id,omitempty"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Text  string  `json:"text"`
}

func newHTMLCourse(id string, r *Report) htmlCourse {
	t := &r.Timeline
	c := htmlCourse{
		ID: id, Bucket: t.BucketMS / 1e3, OK: t.OK, Failed: t.Failed, P50: t.P50MS, P99: t.P99MS, Ready: t.WorkersReady,
		Faults: []htmlMarker{}, Outages: []htmlMarker{},
	}
	for i := range r.Faults {
		f := &r.Faults[i]
		if f.State == "done" {
			c.Faults = append(c.Faults, htmlMarker{clean(f.ID), f.StartS, max(f.StartS, f.EndS), clean(f.ID) + " at " + at(f.StartS) + ": " + faultDetail(f)})
		}
	}
	for _, o := range r.Availability.Outages {
		c.Outages = append(c.Outages, htmlMarker{"", o.StartS, outageEnd(o, r), outageWords(o)})
	}
	return c
}

func outageEnd(o Outage, r *Report) float64 {
	if o.EndS != nil {
		return *o.EndS
	}
	return max(o.StartS+o.LengthS, r.DurationS)
}

func outageWords(o Outage) string {
	words := "outage of " + formatSeconds(o.LengthS) + " from " + at(o.StartS) + ", " + units.FormatPercent(o.FailedShare) + " of the probes failed"
	if o.EndS == nil {
		words += ", to the end"
	}
	return words
}

// stillCourse is a chart as a picture: what print shows, and a page without its
// script. It is 1,000 wide and 100 high and stretched to its place.
type stillCourse struct {
	Name, Title string
	High, Low   string // what the upper and the lower edge stand for
	Words       string
	Bands       []stillBand
	Paths       []stillPath
	Marks       []string
}

type stillBand struct{ Class, X, Width string }
type stillPath struct{ Class, D string }

// stillColumns bounds how many columns a picture has.
const stillColumns = 500

// stillCourses are the charts of a run; none if it has no timeline.
func stillCourses(r *Report) []stillCourse {
	t := &r.Timeline
	if len(t.OK) == 0 {
		return nil
	}
	bands, marks := stillMarkers(r)
	courses := []stillCourse{availabilityCourse(t), requestsCourse(t), latencyCourse(t)}
	if c := workersCourse(t); c != nil {
		courses = append(courses, *c)
	}
	for i := range courses {
		courses[i].Bands, courses[i].Marks = bands, marks
	}
	return courses
}

func stillMarkers(r *Report) (bands []stillBand, marks []string) {
	length := float64(len(r.Timeline.OK)) * r.Timeline.BucketMS / 1e3
	band := func(class string, from, to float64) {
		from, to = 1000*min(max(from/length, 0), 1), 1000*min(max(to/length, 0), 1)
		bands = append(bands, stillBand{class, coordinate(from), coordinate(max(to-from, 2))})
	}
	for i := range r.Faults {
		f := &r.Faults[i]
		if f.State != "done" {
			continue
		}
		if f.EndS > f.StartS {
			band("lasting", f.StartS, f.EndS)
		}
		if len(marks) < maxHTMLFaults {
			marks = append(marks, coordinate(1000*min(max(f.StartS/length, 0), 1)))
		}
	}
	for _, o := range r.Availability.Outages[:min(len(r.Availability.Outages), maxHTMLOutages)] {
		band("outage", o.StartS, outageEnd(o, r))
	}
	return bands, marks
}

func availabilityCourse(t *Timeline) stillCourse {
	ratio := columns(len(t.OK), math.Min, func(i int) (float64, bool) {
		all := t.OK[i] + t.Failed[i]
		return float64(t.OK[i]) / float64(max(all, 1)), all > 0
	})
	least := 1.0
	for _, v := range ratio {
		if v != nil {
			least = min(least, *v)
		}
	}
	low := max(0, min(0.99, least-(1-least)*0.08))
	return stillCourse{
		Name: "availability", Title: "Availability", High: "100 %", Low: units.FormatPercent(low),
		Words: "Availability over time, at the least " + units.FormatPercent(least),
		Paths: []stillPath{{"area", areaPath(ratio, low, 1)}, {"good", linePath(ratio, low, 1)}},
	}
}

func requestsCourse(t *Timeline) stillCourse {
	perSecond := func(counts []int64) func(int) (float64, bool) {
		return func(i int) (float64, bool) { return float64(counts[i]) / (t.BucketMS / 1e3), true }
	}
	good, failed := columns(len(t.OK), math.Max, perSecond(t.OK)), columns(len(t.Failed), math.Max, perSecond(t.Failed))
	most := highest(good, failed)
	return stillCourse{
		Name: "requests", Title: "Requests per second", High: units.FormatRate(most), Low: "0/s",
		Words: "Good and failed requests per second over time, at the most " + units.FormatRate(most),
		Paths: []stillPath{{"good", linePath(good, 0, most)}, {"failed", areaPath(failed, 0, most)}},
	}
}

func latencyCourse(t *Timeline) stillCourse {
	of := func(values []*float64) func(int) (float64, bool) {
		return func(i int) (float64, bool) {
			if values[i] == nil {
				return 0, false
			}
			return *values[i], true
		}
	}
	p50, p99 := columns(len(t.P50MS), math.Max, of(t.P50MS)), columns(len(t.P99MS), math.Max, of(t.P99MS))
	most := highest(p50, p99)
	c := stillCourse{
		Name: "latency", Title: "Latency: p50 and p99", High: ms(most), Low: "0 ms",
		Words: "Latency over time, p99 at the most " + ms(most),
		Paths: []stillPath{{"p50", linePath(p50, 0, most)}, {"p99", linePath(p99, 0, most)}},
	}
	if most == 0 {
		c.High, c.Words = "unknown", "Latency is unknown: nothing was answered well"
	}
	return c
}

// workersCourse is nil if nobody knew how many workers were ready.
func workersCourse(t *Timeline) *stillCourse {
	known := false
	ready := columns(len(t.WorkersReady), math.Min, func(i int) (float64, bool) {
		if t.WorkersReady[i] == nil {
			return 0, false
		}
		known = true
		return float64(*t.WorkersReady[i]), true
	})
	if !known {
		return nil
	}
	most := highest(ready)
	return &stillCourse{
		Name: "workers", Title: "Workers ready", High: units.FormatCount(int64(most)), Low: "0",
		Words: fmt.Sprintf("Workers ready over time, at the most %d", int64(most)),
		Paths: []stillPath{{"ready", linePath(ready, 0, most*1.05)}},
	}
}

// columns reduces n buckets to at most [stillColumns], each the worst of its
// buckets; nil where none of them is known.
func columns(n int, worst func(a, b float64) float64, of func(i int) (float64, bool)) []*float64 {
	count := min(n, stillColumns)
	reduced := make([]*float64, count)
	for i := range n {
		v, ok := of(i)
		if !ok {
			continue
		}
		k := i * count / n
		if reduced[k] != nil {
			v = worst(*reduced[k], v)
		}
		reduced[k] = &v
	}
	return reduced
}

func highest(series ...[]*float64) float64 {
	most := 0.0
	for _, s := range series {
		for _, v := range s {
			if v != nil {
				most = max(most, *v)
			}
		}
	}
	return most
}

// linePath is an SVG path through the values from low to high; it is broken
// where a value is unknown, and a lone one is a short dash.
func linePath(values []*float64, low, high float64) string {
	var b strings.Builder
	down := false
	for i, v := range values {
		if v == nil {
			down = false
			continue
		}
		x, y := column(i, len(values)), height(*v, low, high)
		switch {
		case !down:
			fmt.Fprintf(&b, "M%s %sh.5", x, y)
		default:
			fmt.Fprintf(&b, "L%s %s", x, y)
		}
		down = true
	}
	return b.String()
}

// areaPath fills columns from the lower edge to the values.
func areaPath(values []*float64, low, high float64) string {
	var b strings.Builder
	for i, v := range values {
		if v == nil || *v <= low {
			continue
		}
		left, width := 1000*float64(i)/float64(len(values)), 1000/float64(len(values))
		fmt.Fprintf(&b, "M%s 100V%sh%sV100z", coordinate(left), height(*v, low, high), coordinate(width))
	}
	return b.String()
}

func column(i, n int) string { return coordinate(1000 * (float64(i) + 0.5) / float64(n)) }

func height(v, low, high float64) string {
	if high <= low {
		return "100"
	}
	return coordinate(100 - 96*min(max((v-low)/(high-low), 0), 1))
}

func coordinate(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

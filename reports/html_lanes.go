package reports

import (
	"math"
	"strconv"

	"github.com/hachaos/hachaos/reports/units"
)

// htmlLanes is the timeline of the faults: a lane for each fault's name, and one
// for the outages. Positions are percent of the run's length.
type htmlLanes struct {
	Lanes   []htmlLane
	Ticks   []htmlTick
	Table   htmlTable
	Outages *htmlTable
}

type htmlLane struct {
	Label, Words string
	Spans        []htmlSpan
}

type htmlSpan struct {
	Class, Title  string
	X, Y          string
	Width, Height string
}

type htmlTick struct{ X, Text, Class string }

// newHTMLLanes returns nil for a run without faults and outages.
func newHTMLLanes(r *Report) *htmlLanes {
	if len(r.Faults) == 0 && len(r.Availability.Outages) == 0 {
		return nil
	}
	length := runLength(r)
	l := &htmlLanes{Ticks: ticks(length), Table: faultTable(r), Outages: outageTable(r)}
	index := map[string]int{}
	for i := range r.Faults[:min(len(r.Faults), maxHTMLFaults)] {
		f := &r.Faults[i]
		k, ok := index[f.Name]
		if !ok {
			k = len(l.Lanes)
			index[f.Name] = k
			l.Lanes = append(l.Lanes, htmlLane{Label: clean(f.Name)})
		}
		l.Lanes[k].Spans = append(l.Lanes[k].Spans, faultSpans(f, r, length)...)
		l.Lanes[k].Words += clean(f.ID) + " at " + at(f.StartS) + ", " + f.State + ". "
	}
	if len(r.Availability.Outages) > 0 {
		lane := htmlLane{Label: "outages", Words: countOf(int64(len(r.Availability.Outages)), "outage")}
		for _, o := range r.Availability.Outages[:min(len(r.Availability.Outages), maxHTMLOutages)] {
			lane.Spans = append(lane.Spans, newSpan("outage", outageWords(o), o.StartS, outageEnd(o, r), length, 14))
		}
		l.Lanes = append(l.Lanes, lane)
	}
	return l
}

func runLength(r *Report) float64 {
	length := max(r.DurationS, float64(len(r.Timeline.OK))*r.Timeline.BucketMS/1e3)
	for i := range r.Faults {
		length = max(length, r.Faults[i].StartS)
	}
	if length < 1e-9 {
		return 1 // nor does a scale find ticks in less
	}
	return length
}

// faultSpans are the time until it had recovered, and the fault itself.
func faultSpans(f *Fault, r *Report, length float64) []htmlSpan {
	title := clean(f.ID) + " at " + at(f.StartS) + ": " + faultDetail(f)
	if f.State != "done" {
		return []htmlSpan{newSpan("skipped", title, f.StartS, f.StartS, length, 16)}
	}
	title += "; " + lostText(f) + ", " + backText(f, r)
	end, since := max(f.StartS, f.EndS), f.StartS
	if f.Lasting && !f.VictimsEnded {
		since = end
	}
	spans := []htmlSpan{}
	switch {
	case f.RecoveryS != nil && *f.RecoveryS > 0:
		spans = append(spans, newSpan("back", title, f.StartS, since+*f.RecoveryS, length, 12))
	case f.RecoveryS == nil && r.Availability.Uptime != nil:
		spans = append(spans, newSpan("lost", title, f.StartS, length, length, 12))
	}
	return append(spans, newSpan("at", title, f.StartS, end, length, 18))
}

// newSpan is a bar in the middle of a lane of 26, at least wide enough to be
// seen.
func newSpan(class, title string, from, to, length, height float64) htmlSpan {
	x := 100 * min(max(from/length, 0), 1)
	width := max(100*min(max(to/length, 0), 1)-x, 0.5)
	return htmlSpan{
		Class: class, Title: title, X: coordinate(min(x, 100-width)), Width: coordinate(width),
		Y: coordinate((26 - height) / 2), Height: coordinate(height),
	}
}

// ticks are four to eight round moments from 0 to the end.
func ticks(length float64) []htmlTick {
	step := math.Pow(10, math.Floor(math.Log10(length)))
	for _, finer := range []float64{5, 2} {
		if length/step < 4 {
			step /= 10 / finer
		}
	}
	if length/step > 8 {
		step *= 2
	}
	var list []htmlTick
	for i := 0; float64(i)*step <= length*1.0001; i++ {
		x := 100 * float64(i) * step / length
		t := htmlTick{X: coordinate(x), Text: strconv.FormatFloat(float64(i)*step, 'g', 6, 64) + " s"}
		switch {
		case i == 0:
			t.Class = "start"
		case x > 96:
			t.Class = "end"
		}
		list = append(list, t)
	}
	return list
}

// htmlDistribution is a stream's latencies as dots on a logarithmic scale.
type htmlDistribution struct {
	Name string
	Rows []htmlDot
	Note string
}

type htmlDot struct {
	Label, Text string
	X           string // percent of the width
	Service     string // the same of the service time; empty where it is the same
}

// quantiles are what the JSON has of a distribution.
var quantiles = []struct {
	name string
	of   func(*Latency) float64
}{
	{"p50", func(l *Latency) float64 { return l.P50 }},
	{"p90", func(l *Latency) float64 { return l.P90 }},
	{"p95", func(l *Latency) float64 { return l.P95 }},
	{"p99", func(l *Latency) float64 { return l.P99 }},
	{"p99.9", func(l *Latency) float64 { return l.P999 }},
	{"max", func(l *Latency) float64 { return l.Max }},
}

// newHTMLDistribution returns nil for a stream without good answers.
func newHTMLDistribution(l Load) *htmlDistribution {
	q := l.LatencyMS
	if q == nil {
		return nil
	}
	low := math.Floor(math.Log10(max(min(q.Min, q.P50), 1e-3)))
	high := max(math.Ceil(math.Log10(max(q.Max, 1e-3))), low+1)
	place := func(v float64) string {
		return coordinate(100 * min(max((math.Log10(max(v, 1e-6))-low)/(high-low), 0), 1))
	}
	d := &htmlDistribution{}
	differs := false
	row := func(name string, v, service float64) {
		dot := htmlDot{Label: name, Text: ms(v), X: place(v)}
		if l.ServiceMS != nil && place(service) != dot.X {
			dot.Service, differs = place(service), true
		}
		d.Rows = append(d.Rows, dot)
	}
	of := func(f func(*Latency) float64) (float64, float64) {
		if l.ServiceMS == nil {
			return f(q), 0
		}
		return f(q), f(l.ServiceMS)
	}
	v, service := of(func(l *Latency) float64 { return l.Min })
	row("min", v, service)
	for _, quantile := range quantiles {
		v, service := of(quantile.of)
		row(quantile.name, v, service)
	}
	d.Note = "Mean " + ms(q.Mean) + ", standard deviation " + ms(q.StdDev) + ". The scale is logarithmic, from " + ms(math.Pow(10, low)) + " to " + ms(math.Pow(10, high)) + "."
	if differs {
		d.Note += " Hollow dots are service times: from when a request was sent, not from when it was due."
	}
	return d
}

// htmlBudget is an error budget and what the run spent of it.
type htmlBudget struct {
	Sentence, Words string
	Spent, Allowed  string
	Known           bool
	Width, Tone     string
	Table           htmlTable
}

// newHTMLBudget returns nil where there is no budget.
func newHTMLBudget(b *Budget) *htmlBudget {
	if b == nil {
		return nil
	}
	v := &htmlBudget{
		Spent: "what this run spent is unknown", Tone: "good", Width: "0",
		Allowed:  formatSeconds(b.AllowedS) + " in " + windowText(b.WindowS),
		Sentence: percent(b.Objective) + " over " + windowText(b.WindowS) + " allows " + formatSeconds(b.AllowedS) + " of downtime.",
	}
	if b.SpentS != nil {
		v.Spent = "this run spent " + formatSeconds(*b.SpentS)
		ratio := 0.0
		switch {
		case b.SpentRatio != nil:
			ratio = *b.SpentRatio
		case *b.SpentS > 0:
			ratio = math.Inf(1) // nothing is allowed
		}
		v.Known = true
		switch {
		case math.IsInf(ratio, 1):
			v.Spent += "; nothing is allowed"
		case ratio > 1:
			v.Spent += ", " + factor(ratio) + " times as much"
		default:
			v.Spent += ", " + units.FormatPercent(ratio) + " of it"
		}
		if ratio > 0 {
			v.Width = coordinate(max(100*min(ratio, 1), 0.4))
		}
		switch {
		case ratio > 1:
			v.Tone = "bad"
		case ratio > 0.5:
			v.Tone = "warn"
		}
	}
	v.Words = v.Spent
	var rows [][]string
	for _, row := range b.Table {
		rows = append(rows, []string{"a " + clean(row.Window), windowText(row.WindowS), formatSeconds(row.AllowedS)})
	}
	v.Table = newHTMLTable("What "+percent(b.Objective)+" allows", "lnn", []string{"Window", "Length", "Downtime allowed"}, rows)
	return v
}

package reports

import (
	"fmt"
	"strconv"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports/units"
)

// htmlFigure is one of the big figures. Value is the JSON's, to be read by
// programs; Known is false where the JSON has null.
type htmlFigure struct {
	Name, Label string
	Known       bool
	Value, Text string
	Note        string
	Tone        string // good, bad, or none
	number      float64
}

// figureOf makes a figure of a value that may be unknown.
func figureOf(name, label string, v *float64, format func(float64) string) htmlFigure {
	f := htmlFigure{Name: name, Label: label, Text: "unknown"}
	if v != nil {
		f.Known, f.Value, f.Text, f.number = true, strconv.FormatFloat(*v, 'g', -1, 64), format(*v), *v
	}
	return f
}

// htmlFigures are the figures that the run was made for, the most important
// first.
func htmlFigures(r *Report) []htmlFigure {
	figures := []htmlFigure{availabilityFigure(r), uptimeFigure(r), downtimeFigure(r)}
	if len(r.Faults) > 0 {
		figures = append(figures, recoveryFigure(r))
	} else {
		f := figureOf("longest_stall", "Longest stall", r.Availability.LongestStallS, formatSeconds)
		f.Note = "longest time without an answer to the prober"
		figures = append(figures, f)
	}
	return append(figures, latencyFigure(r), throughputFigure(r))
}

func formatSeconds(s float64) string { return units.FormatDuration(duration(s)) }

func availabilityFigure(r *Report) htmlFigure {
	f := figureOf("availability", "Availability", r.Availability.Availability, units.FormatPercent)
	all := allRequests(r)
	switch {
	case !f.Known:
		f.Note = "no request was made"
		return f
	case all.Failed == 0:
		f.Note = "none of " + countOf(all.done(), "request") + " failed, " + units.FormatCount(all.Retried) + " retried"
	default:
		f.Note = units.FormatCount(all.Failed) + " of " + countOf(all.done(), "request") + " failed, " + units.FormatCount(all.Retried) + " retried"
	}
	f.Note += intervalText(r.Availability.Availability, r.Availability.AvailabilityCI95)
	return f
}

// intervalText is "; 95 % interval 99.1 % to 99.9 %", empty where there is none.
func intervalText(figure *float64, interval *[2]float64) string {
	if figure == nil || interval == nil {
		return ""
	}
	return "; 95 % interval " + units.FormatInterval(*figure, *interval)
}

func uptimeFigure(r *Report) htmlFigure {
	f := figureOf("uptime", "Uptime", r.Availability.Uptime, units.FormatPercent)
	if !f.Known {
		f.Note = "no probe was sent"
		return f
	}
	for _, p := range r.Probes {
		if p.Uptime != nil && *p.Uptime == *r.Availability.Uptime {
			f.Note = units.FormatCount(p.Failed) + " of " + countOf(p.Sent, "probe") + " failed"
			if p.UnobservedS > 0 {
				f.Note += ", " + formatSeconds(p.UnobservedS) + " unobserved"
			}
			break
		}
	}
	f.Note += intervalText(r.Availability.Uptime, r.Availability.UptimeCI95)
	return f
}

func downtimeFigure(r *Report) htmlFigure {
	f := figureOf("downtime", "Downtime", r.Availability.DowntimeS, formatSeconds)
	if f.Known {
		f.Note = outageText(&r.Availability)
	} else {
		f.Note = "no probe was sent"
	}
	return f
}

func recoveryFigure(r *Report) htmlFigure {
	worst, back := 0.0, 0
	var open []string
	done := 0
	for i := range r.Faults {
		f := &r.Faults[i]
		if f.State != string(chaos.Done) {
			continue
		}
		done++
		if f.RecoveryS == nil {
			open = append(open, clean(f.ID))
			continue
		}
		back++
		worst = max(worst, *f.RecoveryS)
	}
	switch {
	case done == 0:
		f := figureOf("recovery", "Slowest recovery", nil, formatSeconds)
		f.Note = "no fault was injected"
		return f
	case len(open) > 0:
		f := figureOf("recovery", "Slowest recovery", nil, formatSeconds)
		f.Tone = "bad"
		f.Note = fmt.Sprintf("%s of %s never recovered: %s", units.FormatCount(int64(len(open))), countOf(int64(done), "fault"), listed(open, 3))
		if r.Availability.Uptime == nil {
			f.Tone, f.Note = "", "there was no prober"
		}
		return f
	}
	f := figureOf("recovery", "Slowest recovery", &worst, formatSeconds)
	f.Note = "of " + countOf(int64(back), "fault")
	return f
}

// listed joins the first n of some names, and counts the rest.
func listed(names []string, n int) string {
	s := ""
	for i, name := range names[:min(n, len(names))] {
		if i > 0 {
			s += ", "
		}
		s += name
	}
	if rest := len(names) - n; rest > 0 {
		s += fmt.Sprintf(" and %d more", rest)
	}
	return s
}

func latencyFigure(r *Report) htmlFigure {
	var worst *Load
	for i := range r.Load {
		if l := &r.Load[i]; l.LatencyMS != nil && (worst == nil || l.LatencyMS.P99 > worst.LatencyMS.P99) {
			worst = l
		}
	}
	if worst == nil {
		f := figureOf("p99", "Latency p99", nil, ms)
		f.Note = "nothing was answered well"
		return f
	}
	f := figureOf("p99", "Latency p99", &worst.LatencyMS.P99, ms)
	f.Note = "p50 " + ms(worst.LatencyMS.P50) + ", max " + ms(worst.LatencyMS.Max)
	if len(r.Load) > 1 {
		f.Note += ", of " + clean(worst.Name) + ", the slowest stream"
	}
	return f
}

func throughputFigure(r *Report) htmlFigure {
	f := figureOf("throughput", "Throughput", allThroughput(r), units.FormatRate)
	f.Note = "good answers per second"
	return f
}

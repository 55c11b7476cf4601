package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
)

func (t *text) availability(r *Report) {
	all := allRequests(r)
	if all.done() == 0 {
		t.block("AVAILABILITY", "unknown", "no request was made")
		return
	}
	line := fmt.Sprintf("%s of %s failed", units.FormatCount(all.Failed), countOf(all.done(), "request"))
	if all.Failed > 0 {
		causes := map[string]int64{}
		for _, l := range r.Load {
			for cause, n := range l.Failures {
				causes[cause] += n
			}
		}
		line += " (" + causeList(causes) + ")"
	}
	line += ", " + units.FormatCount(all.Retried) + " retried"
	if all.Degraded > 0 {
		line += ", " + units.FormatCount(all.Degraded) + " degraded"
	}
	t.block("AVAILABILITY", percentOr(r.Availability.Availability), line)
	t.interval(r.Availability.Availability, r.Availability.AvailabilityCI95)
	if n := resent(r); n > 0 {
		t.block("", " ", "the proxy sent "+countOf(n, "request")+" to another worker when "+verb(n, "its own", "their own")+" failed (warm-up included)")
	}
	if s := unexplainedText(r); s != "" {
		t.block("", " ", s)
	}
	if r.Verdict != Pass {
		for _, example := range firstFailures(r) {
			t.block("", " ", example)
		}
	}
}

// unexplainedText says how many requests are lost at none of the faults; "" if
// none is, or there was no fault.
func unexplainedText(r *Report) string {
	n := r.UnexplainedRequests
	if n <= 0 || len(r.Faults) == 0 {
		return ""
	}
	return countOf(n, "failed request") + verb(n, " is", " are") + " explained by no fault"
}

// resent counts how often a proxy tried another worker.
func resent(r *Report) (n int64) {
	for _, p := range r.Resources {
		if p.Retries != nil {
			n += p.Retries.Resent
		}
	}
	return n
}

// allRequests adds up the requests of all streams.
func allRequests(r *Report) (all Requests) {
	for _, l := range r.Load {
		all.Sent += l.Requests.Sent
		all.OK += l.Requests.OK
		all.Degraded += l.Requests.Degraded
		all.Failed += l.Requests.Failed
		all.Retried += l.Requests.Retried
	}
	return all
}

// done counts those whose outcome is known.
func (r Requests) done() int64 { return r.OK + r.Failed }

func (t *text) uptime(r *Report) {
	a := &r.Availability
	if a.Uptime == nil {
		t.block("UPTIME", "unknown", "no probe was sent")
		return
	}
	first := true
	for _, p := range r.Probes {
		if p.Uptime == nil {
			continue
		}
		line := fmt.Sprintf("%s of %s failed", units.FormatCount(p.Failed), countOf(p.Sent, "probe"))
		if len(r.Probes) > 1 {
			line = clean(p.Connections) + " connections: " + line
		}
		if *p.Uptime != *a.Uptime || !first {
			t.block("", units.FormatPercent(*p.Uptime), line)
			continue
		}
		first = false
		if p.UnobservedS > 0 {
			line += ", " + units.FormatDuration(duration(p.UnobservedS)) + " unobserved"
		}
		t.block("UPTIME", units.FormatPercent(*a.Uptime), line+"; "+outageText(a))
		t.interval(a.Uptime, a.UptimeCI95)
	}
}

// interval says between what the figure above lies, played again.
func (t *text) interval(figure *float64, ci *[2]float64) {
	if figure != nil && ci != nil {
		t.block("", " ", "95 % interval "+units.FormatInterval(*figure, *ci))
	}
}

// outageText says how long the worst outage was, or what could not be seen.
func outageText(a *Availability) string {
	longest := 0.0
	for _, o := range a.Outages {
		longest = max(longest, o.LengthS)
	}
	resolution := 0.0
	if a.ResolutionMS != nil {
		resolution = *a.ResolutionMS / 1e3
	}
	s := "no outage; what is shorter than " + units.FormatDuration(duration(resolution)) + " cannot be seen"
	switch n := int64(len(a.Outages)); {
	case n == 1:
		s = "1 outage of " + units.FormatDuration(duration(longest))
	case n > 1:
		s = fmt.Sprintf("%d outages, none longer than %s", n, units.FormatDuration(duration(longest)))
		if a.MTTRS != nil {
			s += ", MTTR " + units.FormatDuration(duration(*a.MTTRS))
		}
	}
	if a.LongestStallS != nil && *a.LongestStallS > longest+10*resolution {
		s += "; longest time without an answer " + units.FormatDuration(duration(*a.LongestStallS))
	}
	return s
}

func (t *text) latency(r *Report) {
	if len(r.Load) > 1 {
		t.streams(r.Load)
		return
	}
	for _, l := range r.Load {
		if l.LatencyMS == nil {
			t.block("LATENCY", "", "unknown: nothing was answered well")
			continue
		}
		q := l.LatencyMS
		line := fmt.Sprintf("p50 %s   p90 %s   p99 %s   max %s", ms(q.P50), ms(q.P90), ms(q.P99), ms(q.Max))
		if l.ThroughputRPS != nil {
			rate := perSecond(*l.ThroughputRPS)
			if t.width > 0 && 16+width(line)+6+width(rate) > t.width {
				t.block("LATENCY", "", line)
				t.block("", "", rate)
				continue
			}
			line += "      " + rate
		}
		t.block("LATENCY", "", line)
	}
}

func (t *text) budget(b *Budget) {
	if b == nil {
		return
	}
	line := fmt.Sprintf("%s over %s allows %s; ", percent(b.Objective), windowText(b.WindowS), units.FormatDuration(duration(b.AllowedS)))
	if b.AllowedS == 0 {
		line = fmt.Sprintf("%s over %s allows no downtime; ", percent(b.Objective), windowText(b.WindowS))
	}
	switch {
	case b.SpentS == nil:
		line += "what this run spent is unknown"
	case b.SpentRatio != nil && *b.SpentRatio > 1:
		line += fmt.Sprintf("this run spent %s, %s times as much", units.FormatDuration(duration(*b.SpentS)), factor(*b.SpentRatio))
	case b.SpentRatio != nil && *b.SpentRatio > 0:
		line += fmt.Sprintf("this run spent %s, %s of it", units.FormatDuration(duration(*b.SpentS)), units.FormatPercent(*b.SpentRatio))
	default:
		line += "this run spent " + units.FormatDuration(duration(*b.SpentS))
	}
	t.block("BUDGET", "", line)
	if b.BurnRate != nil && *b.BurnRate > 0 {
		t.block("", "", burnText(b))
	}
}

// burnText says how fast a run spent its budget.
func burnText(b *Budget) string {
	line := fmt.Sprintf("burn rate %s: ", factor(*b.BurnRate))
	if *b.BurnRate <= 1 {
		return line + "no faster than it allows"
	}
	return line + "going on like this the budget would be gone after " + units.FormatDuration(duration(b.WindowS / *b.BurnRate))
}

// factor prints a number that is not negative to three digits, and one from 1,000
// on whole: "0.67", "12.3", "4,310".
func factor(v float64) string {
	switch {
	case v >= 999.5 && v < 1e15:
		return units.FormatCount(int64(math.Round(v)))
	case v != 0 && (v < 1e-9 || v >= 1e15):
		return strconv.FormatFloat(v, 'g', 3, 64) // nobody counts so many zeros
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// causeList is "reset 3, closed 1": the most frequent first.
func causeList(causes map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(causes), func(a, b string) int {
		return cmp.Or(cmp.Compare(causes[b], causes[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = clean(name) + " " + units.FormatCount(causes[name])
	}
	return strings.Join(parts, ", ")
}

// firstFailures is the first failure of each cause, in words; three at most.
func firstFailures(r *Report) []string {
	var lines []string
	seen := map[string]bool{}
	for _, l := range r.Load {
		for _, cause := range slices.Sorted(maps.Keys(l.Examples)) {
			if !seen[cause] && len(lines) < 3 {
				lines = append(lines, "first "+clean(cause)+": "+truncate(clean(l.Examples[cause]), 200))
			}
			seen[cause] = true
		}
	}
	return lines
}

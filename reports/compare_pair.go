package reports

import (
	"fmt"
	"math"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
)

func newPair(from, to *Side) Pair {
	p := Pair{From: from.Label, To: to.Label, Different: differences(from.first, to.first), Differences: []Difference{}}
	for i, m := range compared {
		d := difference(&from.Figures[i], &to.Figures[i], m.larger)
		if m.metric == "downtime" && d.Word == TooLittle {
			d.byRepetition(from.runs, to.runs)
		}
		if m.metric == "recovery" {
			d.byRecovered(from, to)
		}
		p.Differences = append(p.Differences, d)
	}
	return p
}

// difference sets two figures against each other. Its interval is made from the
// two by the method of variance estimates recovery (Zou and Donner, Statistics in
// Medicine 27, 2008): the lower bound is d − √((b−lower b)² + (upper a−a)²), the
// upper one likewise.
func difference(a, b *Figure, larger bool) Difference {
	d := Difference{Metric: a.Metric, Unit: a.Unit, From: a.Mean, To: b.Mean, Word: TooLittle}
	if a.Mean == nil || b.Mean == nil {
		d.Reason = b.Reason
		if a.Mean == nil {
			d.Reason = a.Reason
		}
		return d
	}
	delta := *b.Mean - *a.Mean
	d.Difference = known(delta)
	if *a.Mean > 0 {
		d.Factor = known(*b.Mean / *a.Mean)
	}
	if a.wide == nil || b.wide == nil {
		d.Reason = b.Reason
		if a.wide == nil {
			d.Reason = a.Reason
		}
		return d
	}
	low := delta - math.Hypot(*b.Mean-b.wide[0], a.wide[1]-*a.Mean)
	high := delta + math.Hypot(b.wide[1]-*b.Mean, *a.Mean-a.wide[0])
	d.Interval = &[2]float64{low, high}
	switch {
	case low > 0 && larger || high < 0 && !larger:
		d.Word = Better
	case low > 0 || high < 0:
		d.Word = Worse
	case max(-low, high) > tolerable(a, b):
		d.Reason = "the interval is too wide to say that there is no difference"
	default:
		d.Word = NoEvidence
	}
	return d
}

// tolerable is up to what an interval around 0 says that there is no evidence of
// a difference; a wider one says nothing: one percentage point of availability,
// else half of the larger figure, of durations no less than 50 ms.
func tolerable(a, b *Figure) float64 {
	switch a.Unit {
	case "ratio":
		return 0.01
	case "duration":
		return max(0.05, 0.5*max(*a.Mean, *b.Mean))
	}
	return 0.5 * max(*a.Mean, *b.Mean)
}

// remarks are what stands beneath a pair's table: why a word is what it is, with
// its metrics, and in what the sides differ.
func (p *Pair) remarks() []string {
	var reasons, list []string
	metrics := map[string][]string{}
	for _, d := range p.Differences {
		if d.Reason != "" && metrics[d.Reason] == nil {
			reasons = append(reasons, d.Reason)
		}
		metrics[d.Reason] = append(metrics[d.Reason], d.Metric)
	}
	for _, reason := range reasons {
		list = append(list, clean(strings.Join(metrics[reason], ", "))+": "+clean(reason))
	}
	if len(p.Different) > 0 {
		list = append(list, "not the same: "+clean(strings.Join(p.Different, "; ")))
	}
	return list
}

// differences names in what two runs differ besides their outcome.
func differences(a, b *Report) []string {
	list := []string{}
	add := func(what, from, to string) {
		if from != to && from != "" && to != "" {
			list = append(list, what+": "+from+" → "+to)
		}
	}
	add("scenario", a.Scenario.Name, b.Scenario.Name)
	add("variant", orNone(a.Scenario.Variant), orNone(b.Scenario.Variant))
	if a.Scenario.Name == b.Scenario.Name && a.Scenario.SHA256 != b.Scenario.SHA256 {
		list = append(list, "the scenario's file has changed")
	}
	add("seed", fmt.Sprint(a.Scenario.Seed), fmt.Sprint(b.Scenario.Seed))
	add("target", comparedTarget(a.Target), comparedTarget(b.Target))
	add("load", loadKind(a), loadKind(b))
	if math.Abs(a.DurationS-b.DurationS) > 0.05*max(a.DurationS, b.DurationS) {
		add("duration", units.FormatDuration(duration(a.DurationS)), units.FormatDuration(duration(b.DurationS)))
	}
	add("faults", faultCounts(a), faultCounts(b))
	if a.Environment.CPUs > 0 && b.Environment.CPUs > 0 {
		add("processors", fmt.Sprint(a.Environment.CPUs), fmt.Sprint(b.Environment.CPUs))
	}
	add("system", a.Environment.OS, b.Environment.OS)
	add("architecture", a.Environment.Arch, b.Environment.Arch)
	add("kernel", a.Environment.Kernel, b.Environment.Kernel)
	add("hachaos", a.Environment.Hachaos, b.Environment.Hachaos)
	return list
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// comparedTarget leaves out the port, which is another in each run.
func comparedTarget(t Target) string {
	if t.Kind == "command" {
		return "a command"
	}
	return targetText(t)
}

func loadKind(r *Report) string {
	var streams []string
	for _, l := range r.Load {
		s := l.Name + " " + countOf(int64(l.Concurrency), "client")
		if l.Model == "open" {
			s = l.Name + " " + perSecond(l.Rate)
		}
		streams = append(streams, s)
	}
	if len(streams) == 0 {
		return "none"
	}
	return strings.Join(streams, ", ")
}

// faultCounts is "crash × 4, freeze × 1", of those that were injected.
func faultCounts(r *Report) string {
	var names []string
	counts := map[string]int{}
	for _, f := range r.Faults {
		if f.State != "done" {
			continue
		}
		if counts[f.Name] == 0 {
			names = append(names, f.Name)
		}
		counts[f.Name]++
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s × %d", name, counts[name])
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// notes says what stands against believing a comparison.
func notes(c *Comparison) []string {
	var list []string
	for i := range c.Sides {
		list = append(list, c.Sides[i].doubts()...)
	}
	for _, p := range c.Pairs {
		if note := p.untold(); note != "" {
			list = append(list, note)
		}
		from, to := c.side(p.From), c.side(p.To)
		if note := fewProcessors(from.first, to.first); note != "" {
			list = append(list, fmt.Sprintf("the speed-up of %s against %s is inconclusive: %s", p.To, p.From, note))
		}
	}
	return list
}

// doubts says which runs of a side are no evidence, by their verdicts.
func (s *Side) doubts() []string {
	counts := map[Verdict]int{}
	for _, r := range s.runs {
		counts[r.Verdict]++
	}
	var list []string
	for _, doubt := range []struct {
		verdict Verdict
		why     string
	}{
		{Error, "are not those of the target alone"},
		{Inconclusive, "are not those of the target alone"},
		{Interrupted, "are those of a part of the scenario"},
		{Aborted, "are those of a part of the scenario"},
	} {
		switch n := counts[doubt.verdict]; {
		case n == 0:
		case len(s.runs) == 1:
			list = append(list, fmt.Sprintf("the verdict of %s is %s: its figures %s", s.Label, doubt.verdict, doubt.why))
		default:
			list = append(list, fmt.Sprintf("the verdict of %d of the %d runs of %s is %s: their figures %s", n, len(s.runs), s.Label, doubt.verdict, doubt.why))
		}
	}
	return list
}

// fewProcessors says that two targets with other numbers of workers cannot show
// what the workers are worth, because the machine has no processor for each of
// them and one for the load beside them; "" if it has.
func fewProcessors(a, b *Report) string {
	most := max(a.Target.Workers, b.Target.Workers)
	cpus := min(a.Environment.CPUs, b.Environment.CPUs)
	if a.Target.Workers == b.Target.Workers || a.Target.Workers == 0 || b.Target.Workers == 0 || cpus == 0 || cpus > most {
		return ""
	}
	return fmt.Sprintf("%s for %s and the load beside them; with %d or more it would show what the workers are worth",
		countOf(int64(cpus), "processor"), countOf(int64(most), "worker"), most+1)
}

func (c *Comparison) side(label string) *Side {
	for i := range c.Sides {
		if c.Sides[i].Label == label {
			return &c.Sides[i]
		}
	}
	return nil
}

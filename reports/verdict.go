package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/reports/units"
)

// Limits of an open stream's generator (and of a closed one's processor share)
// beyond which the figures are partly its own.
const (
	maxLag      = 10 * time.Millisecond
	minSent     = 0.99
	maxCPUShare = 0.90
	// maxUnobserved is the share of a run that may go unobserved: what was not
	// seen could hide an outage.
	maxUnobserved = 0.05
)

// judge sets the verdict and the reasons for it. Of several the gravest is the
// verdict and stands first: interrupted, error, inconclusive, aborted, fail.
func judge(r *Report, run *Run) {
	r.Verdict = Pass
	add := func(v Verdict, reasons ...string) {
		if len(reasons) > 0 && r.Verdict == Pass {
			r.Verdict = v
		}
		r.Reasons = append(r.Reasons, reasons...)
	}
	after := " after " + units.FormatDuration(run.Duration)
	if run.Interrupted != "" {
		add(Interrupted, run.Interrupted+" ended the run"+after+"; the figures cover only what was measured until then")
	}
	if run.Failure != "" {
		add(Error, run.Failure)
	}
	add(Inconclusive, generatorFaults(run)...)
	add(Inconclusive, blindness(run)...)
	if run.Aborted != "" {
		add(Aborted, "abort_if "+run.Aborted+" struck"+after)
	}
	if run.Failure == "" { // else nothing was measured as it should have been
		add(Fail, missed(r)...)
	}
}

// blindness says that too little was seen to speak of uptime.
func blindness(run *Run) []string {
	if run.Blind != "" {
		return []string{"the prober ended before the load did, so outages after that were not seen: " + run.Blind}
	}
	rec := uptimeProbes(run.Probes)
	if rec == nil || run.Duration <= 0 {
		return nil
	}
	gap := unobserved(rec)
	if share := float64(gap) / float64(run.Duration); share > maxUnobserved {
		return []string{fmt.Sprintf("the prober did not send for %s of %s (%s): too little was seen to judge uptime by; give hachaos more processors",
			units.FormatDuration(gap), units.FormatDuration(run.Duration), units.FormatPercent(share))}
	}
	return nil
}

// saturated tells whether an open stream's generator could not keep to its
// schedule although it had slots free.
func saturated(rec *loadgen.Recording) bool {
	g := rec.Generator
	if rec.Model != "open" {
		return false
	}
	if g.Lag != nil && g.Lag.TotalCount() > 0 && time.Duration(g.Lag.ValueAtPercentile(99))*time.Microsecond > maxLag {
		return true
	}
	return g.Intended > 0 && float64(g.Intended-g.Missed) < minSent*float64(g.Intended)
}

// generatorFaults says where the generator's own limits are in the figures, and
// what to do about each.
func generatorFaults(run *Run) []string {
	var reasons []string
	for _, rec := range run.Loads {
		if saturated(rec) {
			reasons = append(reasons, saturation(rec))
		}
		if n := rec.Failures[loadgen.CauseGenerator]; n > 0 {
			reasons = append(reasons, ownFailures(n, "request", "stream "+rec.Stream, rec.Examples))
		}
	}
	for _, rec := range run.Probes {
		if n := rec.Failures[loadgen.CauseGenerator]; n > 0 {
			reasons = append(reasons, ownFailures(n, "probe", "the prober", rec.Examples))
		}
	}
	return reasons
}

func saturation(rec *loadgen.Recording) string {
	g := rec.Generator
	var b strings.Builder
	fmt.Fprintf(&b, "the generator could not keep to the schedule of stream %s: ", rec.Stream)
	if g.Intended > 0 {
		fmt.Fprintf(&b, "it sent %s of the %s that were due while a slot was free", units.FormatPercent(float64(g.Intended-g.Missed)/float64(g.Intended)), countOf(g.Intended, "request"))
	}
	if g.Lag != nil && g.Lag.TotalCount() > 0 {
		if g.Intended > 0 {
			b.WriteString(" and ")
		}
		fmt.Fprintf(&b, "was up to %s late (p99)", units.FormatDuration(time.Duration(g.Lag.ValueAtPercentile(99))*time.Microsecond))
	}
	b.WriteString("; lower the rate, or give hachaos more processors than the target leaves it")
	return b.String()
}

func ownFailures(n int64, what, where string, examples map[loadgen.Cause]string) string {
	example := ""
	if text := examples[loadgen.CauseGenerator]; text != "" {
		example = " (" + text + ")"
	}
	return fmt.Sprintf("%s of %s failed by the generator's own limits%s, not by the target; raise them (ulimit -n, the range of local ports) or send less",
		countOf(n, what), where, example)
}

// missed says which objectives were not met, and by what figure.
func missed(r *Report) []string {
	var reasons []string
	for _, s := range r.SLOs {
		switch {
		case s.OK:
		case s.Value == nil:
			reasons = append(reasons, fmt.Sprintf("%s is not met: %s is unknown, %s", s.Expr, s.Metric, whyUnknown(s, r)))
		default:
			reasons = append(reasons, fmt.Sprintf("%s is not met: %s", s.Expr, s.text()))
		}
	}
	return reasons
}

// whyUnknown explains a null value.
func whyUnknown(s SLO, r *Report) string {
	m, _ := metricNamed(s.Metric)
	watched := r.Availability.Uptime != nil
	_, ofWorker := ShareSlot(s.Metric)
	switch {
	case s.Metric == "recovery" && watched:
		for _, f := range injected(s.Scope, r) {
			if f.RecoveryS == nil {
				return f.ID + " was not seen to recover before the run ended"
			}
		}
	case s.Metric == "mttr" && watched:
		return "an outage lasted to the end"
	case s.Metric == "restarts":
		return "because no process was a worker"
	case s.Metric == "recovery" || s.Scope == "" && !m.allows(ScopeStream):
		return "because no probe was sent"
	case m.Unit == "duration":
		return "because nothing was answered well"
	case ofWorker:
		return "because no answer said which worker gave it"
	}
	return "because no request was made"
}

// maxTook is how long the injection of a fault may take that acts at once, before
// a reader is told.
const maxTook = 50 * time.Millisecond

// atOnce are the kinds of fault whose injection is one signal or one request.
var atOnce = []string{"kill", "pause", "exit", "cut", "latency", "toxic"}

// warn adds what a reader should know before trusting the figures, though it
// does not change the verdict.
func warn(r *Report, run *Run) {
	for _, rec := range run.Loads {
		if share := rec.Generator.CPUShare; rec.Model == "closed" && share > maxCPUShare {
			r.Warnings = append(r.Warnings, fmt.Sprintf(
				"the generator of stream %s used %s of the processor time it had: its latency and throughput may be the generator's own; use fewer clients or more processors",
				rec.Stream, units.FormatPercent(min(share, 1))))
		}
	}
	if rec := uptimeProbes(run.Probes); rec != nil && len(rec.Gaps) > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the prober itself did not send for %s in %s; that time is in no figure of uptime",
			units.FormatDuration(unobserved(rec)), countOf(int64(len(rec.Gaps)), "gap")))
	}
	for _, e := range run.Faults {
		switch {
		case e.State == chaos.Failed:
			r.Warnings = append(r.Warnings, fmt.Sprintf("fault %s could not be injected: %s", e.ID, e.Error))
		case e.State == chaos.Done && e.Error != "":
			r.Warnings = append(r.Warnings, fmt.Sprintf("fault %s was injected, but: %s", e.ID, e.Error))
		case e.State == chaos.Done && e.Took > maxTook && slices.Contains(atOnce, e.Kind):
			r.Warnings = append(r.Warnings, fmt.Sprintf(
				"fault %s struck at some moment of the %s from %s, for hachaos itself was slow to inject it: what counts from its start, as its recovery, may be too high by that",
				e.ID, units.FormatDuration(e.Took), at(seconds(e.Start))))
		}
	}
	r.Warnings = append(r.Warnings, struckNothing(run)...)
	for i, o := range run.Objectives {
		if value := r.SLOs[i].Value; value != nil {
			if text := straddles(o, *value, run, r); text != "" {
				r.Warnings = append(r.Warnings, text)
			}
		}
	}
	for _, name := range neverInjected(run) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("fault %s was never injected: objectives on it show nothing", name))
	}
}

// neverInjected returns the names of faults that objectives are on and that did
// not strike once.
func neverInjected(run *Run) []string {
	var names []string
	for _, o := range run.Objectives {
		struck := o.Scope == ""
		for _, rec := range run.Loads {
			struck = struck || rec.Stream == o.Scope
		}
		for _, e := range run.Faults {
			struck = struck || e.Name == o.Scope && e.State == chaos.Done
		}
		for _, name := range names {
			struck = struck || name == o.Scope
		}
		if !struck {
			names = append(names, o.Scope)
		}
	}
	return names
}

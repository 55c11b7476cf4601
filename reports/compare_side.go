package reports

import (
	"fmt"
	"math"
	"slices"
)

// compared are the metrics of a comparison. Larger tells whether more of it is
// better.
var compared = []struct {
	metric, unit string
	larger       bool
	value        func(*Report) *float64
}{
	{"availability", "ratio", true, func(r *Report) *float64 { return r.Availability.Availability }},
	{"downtime", "duration", false, func(r *Report) *float64 { return r.Availability.DowntimeS }},
	{"recovery", "duration", false, meanRecovery},
	{"p99", "duration", false, slowestP99},
	{"throughput", "rate", true, allThroughput},
}

// Levels of the intervals that are shown for a side and used for pairs. Five
// metrics at 99 % each hold together at 95 % (Bonferroni).
const (
	sideLevel = 0.95
	pairLevel = 0.99
)

// hasStruck tells whether there was anything to recover from.
func hasStruck(r *Report) bool {
	return slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.State == "done" })
}

// meanRecovery is over all repetitions of all faults; null if one of them did
// not recover, or there was none.
func meanRecovery(r *Report) *float64 {
	all := allRecoveries(r)
	if len(all) == 0 {
		return nil
	}
	return known(meanOf(all))
}

// allRecoveries is empty if one of them is unknown.
func allRecoveries(r *Report) []float64 {
	var all []float64
	for _, f := range r.Faults {
		switch {
		case f.State != "done":
		case f.RecoveryS == nil:
			return nil
		default:
			all = append(all, *f.RecoveryS)
		}
	}
	return all
}

// slowestP99 is that of the slowest stream, in seconds: percentiles of several
// streams do not add up.
func slowestP99(r *Report) *float64 {
	var slowest *float64
	for _, l := range r.Load {
		if l.LatencyMS != nil && (slowest == nil || l.LatencyMS.P99/1e3 > *slowest) {
			slowest = known(l.LatencyMS.P99 / 1e3)
		}
	}
	return slowest
}

// allThroughput is that of the run. Reports of old did not say it, and the rates
// of several streams do not add up: each is of the stream's own time.
func allThroughput(r *Report) *float64 {
	if r.ThroughputRPS == nil && len(r.Load) == 1 {
		return r.Load[0].ThroughputRPS
	}
	return r.ThroughputRPS
}

func newSide(label string, runs []*Report) Side {
	s := Side{Label: label, Name: sideName(runs[0]), Runs: len(runs), Figures: []Figure{}, first: runs[0], runs: runs}
	for _, m := range compared {
		f := Figure{Metric: m.metric, Unit: m.unit, Values: []*float64{}}
		var values []float64
		for _, r := range runs {
			v := m.value(r)
			f.Values = append(f.Values, v)
			if v != nil {
				values = append(values, *v)
			}
		}
		switch {
		case m.metric == "recovery" && !slices.ContainsFunc(runs, hasStruck):
			f.Reason = "no fault struck"
		case len(values) < len(runs):
			f.Reason = "unknown in " + countOf(int64(len(runs)-len(values)), "run")
		default:
			f.Mean = known(meanOf(values))
			f.spread(runs, values)
		}
		s.Figures = append(s.Figures, f)
	}
	return s
}

func sideName(r *Report) string {
	if r.Scenario.Variant != "" {
		return r.Scenario.Name + " " + r.Scenario.Variant
	}
	return r.Scenario.Name
}

// spread puts the intervals into a figure: between runs where there are five,
// of recoveries between all repetitions of the faults, else by what a single run
// says of itself.
func (f *Figure) spread(runs []*Report, values []float64) {
	at := func(interval func(level float64) *[2]float64) {
		f.CI95, f.wide = interval(sideLevel), interval(pairLevel)
	}
	switch {
	case f.Metric == "recovery":
		var all []float64
		for _, r := range runs {
			all = append(all, allRecoveries(r)...)
		}
		if len(all) < minRepetitions {
			f.Reason = fmt.Sprintf("%s: an interval needs 5", countOf(int64(len(all)), "recovery of a fault"))
			if len(all) > 1 {
				f.Reason = fmt.Sprintf("%d recoveries of faults: an interval needs 5", len(all))
			}
			return
		}
		at(func(level float64) *[2]float64 { return studentInterval(all, grainOf(f.Metric, runs), level) })
	case len(values) >= minRepetitions:
		at(func(level float64) *[2]float64 { return betweenRuns(f.Metric, runs, values, level) })
	case f.Metric == "throughput":
		batches := batchRates(runs)
		if batches == nil || slices.ContainsFunc(runs, func(r *Report) bool { return r.Availability.CI95Reason != "" }) {
			f.Reason = oneRun(runs)
			return
		}
		at(func(level float64) *[2]float64 { return oneRunMore(studentInterval(batches, 0, level), *f.Mean) })
	case f.Metric == "availability" || f.Metric == "downtime":
		f.withinRun(runs)
	default:
		f.Reason = oneRun(runs)
	}
}

func oneRun(runs []*Report) string {
	if reason := runs[0].Availability.CI95Reason; reason != "" && len(runs) == 1 {
		return reason
	}
	return countOf(int64(len(runs)), "run") + ": an interval needs --repeat 5"
}

// withinRun takes the intervals that the runs have of themselves; of two to four
// runs the mean of their bounds.
func (f *Figure) withinRun(runs []*Report) {
	var ci [2]float64
	for _, r := range runs {
		own := r.Availability.AvailabilityCI95
		if f.Metric == "downtime" {
			own = complement(r.Availability.UptimeCI95, observedS(r))
		}
		if own == nil {
			f.Reason = oneRun(runs)
			return
		}
		ci[0] += own[0] / float64(len(runs))
		ci[1] += own[1] / float64(len(runs))
	}
	// From 95 to 99 % as a normal distribution would; its bounds are skewed
	// already.
	const wider = 2.576 / 1.960
	wide := [2]float64{max(0, *f.Mean-wider*(*f.Mean-ci[0])), *f.Mean + wider*(ci[1]-*f.Mean)}
	if f.Metric == "availability" {
		wide[1] = min(1, wide[1])
	}
	f.CI95, f.wide = &ci, &wide
}

// observedS is how long the prober whose figure uptime is has watched: what it
// sent × its interval. That of a report without its probes is the run's length.
func observedS(r *Report) float64 {
	var chosen *Probe
	for i := range r.Probes {
		if p := &r.Probes[i]; p.Sent > 0 && (chosen == nil || p.Connections == "new") {
			chosen = p
		}
	}
	if chosen == nil {
		return r.DurationS
	}
	return float64(chosen.Sent) * chosen.EveryMS / 1e3
}

// betweenRuns is the interval of a mean over n ≥ 5 runs. What is lost is skewed,
// and gets the interval of [losses]; what is measured gets Student's.
func betweenRuns(metric string, runs []*Report, values []float64, level float64) *[2]float64 {
	grain := grainOf(metric, runs)
	n := float64(len(values))
	switch metric {
	case "availability", "downtime":
		lost, whole := make([]float64, len(values)), 1.0
		for i, v := range values {
			if lost[i] = v; metric == "availability" {
				lost[i] = 1 - v
			} else {
				whole = max(whole, runs[i].DurationS)
			}
		}
		l := losses{faults: []repetitions{{metric, lost}}, total: whole * n, grain: grain, worst: whole / max(1, runs[0].DurationS)}
		q := l.quantiles()
		ci := [2]float64{q((1-level)/2) / n, q((1+level)/2) / n}
		if metric == "availability" {
			ci = [2]float64{1 - ci[1], 1 - ci[0]}
		}
		return &ci
	}
	return studentInterval(values, grain, level)
}

// grainOf is the smallest difference that a metric can show in a run.
func grainOf(metric string, runs []*Report) float64 {
	grain := 0.0
	for _, r := range runs {
		switch metric {
		case "availability":
			var all int64
			for _, l := range r.Load {
				all += l.Requests.OK + l.Requests.Failed
			}
			grain = max(grain, 1/float64(max(1, all)))
		case "downtime", "recovery":
			if ms := r.Availability.ResolutionMS; ms != nil {
				grain = max(grain, *ms/1e3)
			}
		}
	}
	return grain
}

// studentInterval is mean ± t·s/√n (Student, Biometrika 6, 1908), nowhere below
// 0; s is at least the grain that values are measured in.
func studentInterval(values []float64, grain, level float64) *[2]float64 {
	n := float64(len(values))
	sum, variance, _ := sumOf(values)
	deviation := max(math.Sqrt(variance/n), grain)
	half := tQuantile((1+level)/2, n-1) * deviation / math.Sqrt(n)
	return &[2]float64{max(0, sum/n-half), sum/n + half}
}

// oneRunShare is how much throughput is held possible to differ between two runs
// of the same thing for reasons that a single run does not show: where processes
// came to lie, what else the machine did.
const oneRunShare = 0.10

// oneRunMore widens an interval by that. The mean is in it: it counts until the
// last good answer, which the batches of the run's length do not.
func oneRunMore(ci *[2]float64, mean float64) *[2]float64 {
	return &[2]float64{max(0, min(ci[0], mean)-oneRunShare*mean), max(ci[1], mean) + oneRunShare*mean}
}

// numBatches is into how many parts a run is divided (the method of batch means;
// Law and Kelton, Simulation Modeling and Analysis).
const numBatches = 10

// batchRates returns the good answers per second in ten equal parts of each run;
// nil if a part would be shorter than half a second.
func batchRates(runs []*Report) []float64 {
	var rates []float64
	for _, r := range runs {
		t := r.Timeline
		per := int(r.DurationS*1e3/max(1, t.BucketMS)+0.5) / numBatches
		if per < 1 || len(t.OK) < per*numBatches || float64(per)*t.BucketMS < 500 {
			return nil
		}
		for b := range numBatches {
			var ok int64
			for _, n := range t.OK[b*per : (b+1)*per] {
				ok += n
			}
			rates = append(rates, float64(ok)/(float64(per)*t.BucketMS/1e3))
		}
	}
	return rates
}

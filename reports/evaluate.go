package reports

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

// evaluate judges one objective. What is unknown is not met, except recovery
// and mttr when nothing had to recover.
func evaluate(o Objective, run *Run, r *Report) SLO {
	slo := SLO{Expr: o.Expr, Metric: o.Metric, Scope: o.Scope, Unit: o.Unit}
	slo.Value = measured(o, run, r)
	if slo.Value != nil {
		slo.OK = o.Holds(*slo.Value)
		return slo
	}
	switch o.Metric {
	case "recovery":
		slo.OK = len(injected(o.Scope, r)) == 0
	case "mttr":
		slo.OK = r.Availability.Uptime != nil && len(r.Availability.Outages) == 0
	}
	return slo
}

// measured returns the figure an objective is on, in the metric's unit; nil if
// it is unknown.
func measured(o Objective, run *Run, r *Report) *float64 {
	if o.Scope == "" {
		if v, ok := uptimeMetric(o.Metric, &r.Availability); ok {
			return v
		}
		if o.Metric == "restarts" {
			return restarts(r.Resources)
		}
		return loadMetric(o.Metric, run.Loads, run.Duration, r)
	}
	for _, rec := range run.Loads {
		if rec.Stream == o.Scope {
			return loadMetric(o.Metric, []*loadgen.Recording{rec}, run.Duration, r)
		}
	}
	return faultMetric(o.Metric, injected(o.Scope, r))
}

func uptimeMetric(metric string, a *Availability) (v *float64, ok bool) {
	switch metric {
	case "uptime":
		return a.Uptime, true
	case "downtime":
		return a.DowntimeS, true
	case "longest_stall":
		return a.LongestStallS, true
	case "mttr":
		return a.MTTRS, true
	case "outages", "longest_outage":
		if a.Uptime == nil {
			return nil, true
		}
		longest := 0.0
		for _, o := range a.Outages {
			longest = max(longest, o.LengthS)
		}
		if metric == "outages" {
			return known(float64(len(a.Outages))), true
		}
		return known(longest), true
	}
	return nil, false
}

func loadMetric(metric string, recs []*loadgen.Recording, length time.Duration, r *Report) *float64 {
	if len(recs) == 0 {
		return nil
	}
	if slot, ok := ShareSlot(metric); ok {
		return share(slot, recs, r.Resources)
	}
	var ok, degraded, retried, all int64
	for _, rec := range recs {
		ok += rec.OK
		degraded += rec.Degraded
		retried += rec.Retried
		all += counted(rec)
	}
	switch metric {
	case "availability":
		return ratio(ok, all)
	case "error_rate":
		return ratio(all-ok, all)
	case "degraded_rate":
		return ratio(degraded, all)
	case "failed":
		return known(float64(all - ok))
	case "retried":
		return known(float64(retried))
	case "throughput":
		return throughput(length, recs...)
	case "longest_gap":
		return longestGap(length, recs...)
	}
	return latencyMetric(metric, recs)
}

func latencyMetric(metric string, recs []*loadgen.Recording) *float64 {
	l := foldLatency(mergedLatency(recs))
	if l == nil {
		return nil
	}
	ms, ok := map[string]float64{
		"p50": l.P50, "p90": l.P90, "p95": l.P95, "p99": l.P99, "p99.9": l.P999, "max": l.Max, "mean": l.Mean,
	}[metric]
	if !ok {
		return nil
	}
	return known(ms / 1e3)
}

// mergedLatency returns the distribution over all streams.
func mergedLatency(recs []*loadgen.Recording) *hdrhistogram.Histogram {
	var lowest, highest, digits int64 = 1, 2, 1
	var given []*hdrhistogram.Histogram
	for _, rec := range recs {
		if h := rec.Latency; h != nil {
			given = append(given, h)
			highest = max(highest, h.HighestTrackableValue())
			digits = max(digits, h.SignificantFigures())
		}
	}
	if len(given) < 2 {
		if len(given) == 0 {
			return nil
		}
		return given[0]
	}
	merged := hdrhistogram.New(lowest, highest, int(digits))
	for _, h := range given {
		merged.Merge(h)
	}
	return merged
}

// injected returns the repetitions of a fault that were really injected.
func injected(name string, r *Report) []Fault {
	var done []Fault
	for _, f := range r.Faults {
		if f.Name == name && f.State == string(chaos.Done) {
			done = append(done, f)
		}
	}
	return done
}

func faultMetric(metric string, faults []Fault) *float64 {
	var failed, retried int64
	var recovery *float64
	for i, f := range faults {
		failed += f.FailedRequests
		retried += f.RetriedRequests
		switch {
		case i > 0 && recovery == nil: // an earlier one is unknown: so is the largest
		case f.RecoveryS == nil:
			recovery = nil
		case i == 0 || *f.RecoveryS > *recovery:
			recovery = f.RecoveryS
		}
	}
	switch metric {
	case "failed":
		return known(float64(failed))
	case "retried":
		return known(float64(retried))
	case "recovery":
		return recovery
	}
	return nil
}

package reports

import (
	"fmt"
	"slices"

	"github.com/hachaos/hachaos/loadgen"
)

// straddles returns a warning if the 95 % interval of the figure that an
// objective is on has the objective's limit inside; "" if not, or if there is no
// interval. The point estimate decides all the same. Where nothing was lost there
// is no warning: how much might have been is a question of the run's length
// alone, which the interval itself shows, and every clean run would carry it.
func straddles(o Objective, value float64, run *Run, r *Report) string {
	ci := intervalOf(o, run, r)
	if ci == nil || value == ci[0] && value == 0 || value == ci[1] && value == 1 || o.Op == "==" || o.Holds(ci[0]) == o.Holds(ci[1]) {
		return ""
	}
	return fmt.Sprintf("the limit of %s lies inside the 95 %% interval, %s: the scenario played again may come out otherwise",
		o.Expr, intervalValue(o.Unit, value, *ci))
}

// intervalOf returns the interval of an objective's figure, in the metric's
// unit; nil if there is none.
func intervalOf(o Objective, run *Run, r *Report) *[2]float64 {
	a := &r.Availability
	switch o.Metric {
	case "availability":
		return availabilityInterval(o.Scope, run, a)
	case "error_rate":
		return complement(availabilityInterval(o.Scope, run, a), 1)
	case "uptime":
		return a.UptimeCI95
	case "downtime":
		if rec := uptimeProbes(run.Probes); rec != nil {
			return complement(a.UptimeCI95, float64(rec.Sent)*seconds(rec.Every))
		}
	}
	return nil
}

// availabilityInterval is that of the run or, with a scope, of one stream.
func availabilityInterval(stream string, run *Run, a *Availability) *[2]float64 {
	if stream == "" || a.AvailabilityCI95 == nil {
		return a.AvailabilityCI95
	}
	alone := *run
	alone.Loads = slices.DeleteFunc(slices.Clone(run.Loads), func(l *loadgen.Recording) bool { return l.Stream != stream })
	return goodShare(requestLosses(&alone, faultWindows(run)))
}

// complement is the interval of 1 − share, of a whole.
func complement(ci *[2]float64, whole float64) *[2]float64 {
	if ci == nil {
		return nil
	}
	return &[2]float64{(1 - ci[1]) * whole, (1 - ci[0]) * whole}
}

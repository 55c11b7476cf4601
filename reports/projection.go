package reports

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Projection says what a year would be like in which nothing but the faults of
// the run happened, as often as the scenario expects them. All that it is
// computed from stands in it: each fault takes per_year × mean_lost_s, and
// availability is 1 − downtime_s ÷ year_s.
type Projection struct {
	YearS            float64          `json:"year_s"`
	Faults           []ProjectedFault `json:"faults"`
	DowntimeS        *float64         `json:"downtime_s"` // expected in a year
	DowntimeCI95     *[2]float64      `json:"downtime_ci95"`
	Availability     *float64         `json:"availability"`
	AvailabilityCI95 *[2]float64      `json:"availability_ci95"`
	Objective        *float64         `json:"objective"` // the budget's; null without one
	AllowedS         *float64         `json:"allowed_s"` // of downtime in a year
	SpentRatio       *float64         `json:"spent_ratio"`
	Bearable         *float64         `json:"bearable"` // how many times as often all of them may happen
	Reason           string           `json:"reason,omitempty"`
	Seed             uint64           `json:"seed"`
	Trials           int              `json:"trials"`
}

// ProjectedFault is one fault of a [Projection].
type ProjectedFault struct {
	Name            string    `json:"name"`
	PerYear         float64   `json:"per_year"`
	LostS           []float64 `json:"lost_s"`     // downtime of each repetition
	RecoveryS       []float64 `json:"recovery_s"` // of each repetition
	MeanLostS       *float64  `json:"mean_lost_s"`
	DowntimeS       *float64  `json:"downtime_s"`        // expected in a year
	BearablePerYear *float64  `json:"bearable_per_year"` // if it were the only fault; null if none cost anything
}

const (
	year = 365 * day
	// trials are simulated years.
	trials = 10_000
	// manyFaults is from how many a year on their sum is drawn as a whole.
	manyFaults = 1000
)

// project makes the projection, nil if the scenario expects no faults. What
// cannot be known is null in it, with the reason.
func project(run *Run, ws []window, r *Report) *Projection {
	if len(run.Rates) == 0 {
		return nil
	}
	p := &Projection{YearS: seconds(year), Faults: []ProjectedFault{}, Seed: run.Scenario.Seed, Trials: trials}
	rec := uptimeProbes(run.Probes)
	measured := map[string][]window{}
	for _, group := range byFault(ws) {
		measured[group[0].event.Name] = group
	}
	if run.Budget != nil {
		p.Objective = known(run.Budget.Objective)
		p.AllowedS = known(allowed(run.Budget.Objective, year))
	}
	reasonNoInterval := unreliable(run)
	for _, name := range slices.Sorted(maps.Keys(run.Rates)) {
		f := ProjectedFault{Name: name, PerYear: run.Rates[name] * seconds(year), LostS: []float64{}, RecoveryS: []float64{}}
		switch {
		case rec == nil:
			p.Reason = "no probe was sent: what a fault costs is unknown"
		case len(measured[name]) == 0:
			p.Reason = name + " was never injected: what it costs is unknown"
		case len(measured[name]) < minRepetitions && reasonNoInterval == "":
			reasonNoInterval = name + " struck " + times(len(measured[name])) + ": an interval needs 5 repetitions of each fault"
		}
		for _, w := range measured[name] {
			if rec == nil {
				break
			}
			if w.recovery() == nil {
				p.Reason = w.event.ID + " had not recovered when the run ended: what it costs is unknown"
				break
			}
			f.LostS = append(f.LostS, *r.Faults[w.index].DownS)
			f.RecoveryS = append(f.RecoveryS, *w.recovery())
		}
		p.Faults = append(p.Faults, f)
	}
	if p.Reason != "" {
		return p
	}
	p.expect()
	if p.Reason = reasonNoInterval; p.Reason == "" {
		p.simulate(seconds(rec.Every))
	}
	return p
}

// clear9 takes away what sums of binary fractions leave beyond a nanosecond.
func clear9(s float64) float64 { return math.Round(s*1e9) / 1e9 }

// expect computes what can be followed by hand.
func (p *Projection) expect() {
	total := 0.0
	for i := range p.Faults {
		f := &p.Faults[i]
		mean := meanOf(f.LostS)
		f.MeanLostS, f.DowntimeS = known(mean), known(f.PerYear*mean)
		total += f.PerYear * mean
		if p.AllowedS != nil && mean > 0 {
			f.BearablePerYear = known(*p.AllowedS / mean)
		}
	}
	down := min(total, p.YearS)
	p.DowntimeS, p.Availability = known(down), known(1-down/p.YearS)
	if p.AllowedS != nil && *p.AllowedS > 0 {
		p.SpentRatio = known(down / *p.AllowedS)
		if total > 0 {
			p.Bearable = known(*p.AllowedS / total) // of all that they cost, though a year has no room for it
		}
	}
}

// simulate draws years (Monte Carlo): in each one, for each fault, a mean loss
// from the confidence distribution of its repetitions (see [losses.interval]),
// how many of them there are (Poisson), and what each costs, one of the measured
// losses in proportion to that mean. The interval holds 95 of 100 such years: it
// is wider than that of the expected year where faults are rare.
func (p *Projection) simulate(grain float64) {
	r := rand.New(rand.NewPCG(p.Seed, 0))
	means := make([]func(float64) float64, len(p.Faults))
	for i, f := range p.Faults {
		l := losses{faults: []repetitions{{f.Name, f.LostS}}, total: p.YearS * float64(len(f.LostS)), grain: grain, worst: 1}
		means[i] = l.quantiles()
	}
	down := make([]float64, trials)
	for k := range down {
		for i, f := range p.Faults {
			mean := means[i](r.Float64()) / float64(len(f.LostS))
			down[k] += f.drawYear(r, mean)
		}
		down[k] = min(down[k], p.YearS)
	}
	sort.Float64s(down)
	low, high := down[trials*25/1000], down[trials*975/1000]
	p.DowntimeCI95 = &[2]float64{low, high}
	p.AvailabilityCI95 = &[2]float64{1 - high/p.YearS, 1 - low/p.YearS}
}

// drawYear draws what the fault costs in a year, given its mean loss.
func (f *ProjectedFault) drawYear(r *rand.Rand, mean float64) float64 {
	if f.PerYear <= 0 {
		return 0
	}
	scale, square := 0.0, mean*mean // without a loss among the repetitions each costs the mean
	if *f.MeanLostS > 0 {
		scale, square = mean / *f.MeanLostS, 0
		for _, v := range f.LostS {
			square += v * scale * v * scale / float64(len(f.LostS))
		}
	}
	if f.PerYear > manyFaults {
		// A sum of many: normal, with the mean and variance of a compound Poisson.
		return max(0, f.PerYear*mean+math.Sqrt(f.PerYear*square)*r.NormFloat64())
	}
	n := int(distuv.Poisson{Lambda: f.PerYear, Src: r}.Rand())
	if scale == 0 {
		return float64(n) * mean
	}
	sum := 0.0
	for range n {
		sum += scale * f.LostS[r.IntN(len(f.LostS))]
	}
	return sum
}

func meanOf(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// CheckRate returns an error if a fault cannot be expected so often, in events
// per second.
func CheckRate(perSecond float64) error {
	switch {
	case math.IsNaN(perSecond) || perSecond <= 0:
		return fmt.Errorf("a rate is more than 0, such as 2/day")
	case perSecond > 1/seconds(time.Minute):
		return fmt.Errorf("a fault is not expected more than once a minute: write how often it comes a day, week, month or year, such as 2/day")
	}
	return nil
}

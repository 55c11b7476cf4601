package loadgen

import (
	"math"
	"math/rand/v2"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/hachaos/hachaos/reports/units"
)

// arrivals says when the requests of open load are due: offsets from its start,
// ascending. false: there will be no more.
type arrivals interface {
	next() (time.Duration, bool)
}

// newArrivals returns the schedule that o describes, from t = 0 on.
func newArrivals(o *Open, seed uint64) arrivals {
	switch {
	case o.Ramp != nil:
		return newRamp(o.Ramp)
	case o.Sine != nil:
		return &paced{pacer: vegeta.SinePacer{Period: o.Sine.Period.Std(), Mean: pacerRate(o.Sine.Mean), Amp: pacerRate(o.Sine.Amplitude)}}
	case o.Poisson != nil:
		return newPoisson(o.Poisson.Rate, seed)
	}
	return newConstant(o.Rate)
}

// newWarmup returns the schedule before t = 0: the rate that o begins with.
func newWarmup(o *Open, seed uint64) arrivals {
	switch {
	case o.Ramp != nil:
		return newConstant(o.Ramp.From)
	case o.Sine != nil:
		return newConstant(o.Sine.Mean)
	case o.Poisson != nil:
		return newPoisson(o.Poisson.Rate, seed)
	}
	return newConstant(o.Rate)
}

// paced asks a pacer of vegeta's at virtual time, the moment the last request
// was due, so that each request is due when it is due however late others were
// sent.
type paced struct {
	pacer   vegeta.Pacer
	elapsed time.Duration
	hits    uint64
	limit   time.Duration // no moment beyond it is looked for; 0: none
}

// resolution is how exactly a due time is looked for.
const resolution = time.Microsecond

func (p *paced) next() (time.Duration, bool) {
	wait, stop := p.pacer.Pace(p.elapsed, p.hits)
	if stop {
		return 0, false
	}
	// A pacer answers by the rate at the moment it is asked, and so errs while
	// the rate changes. The request is due at the first moment at which it need
	// not wait: ask again at the moment named, and halve in on it if that
	// proves too late.
	from, to := p.elapsed, p.elapsed
	for wait > 0 {
		from, to = to, to+max(wait, resolution)
		if p.limit > 0 && from > p.limit {
			return 0, false
		}
		if wait, stop = p.pacer.Pace(to, p.hits); stop {
			return 0, false
		}
		if constant(p.pacer) || wait <= resolution {
			break
		}
	}
	for to-from > resolution && !constant(p.pacer) {
		middle := from + (to-from)/2
		if wait, _ := p.pacer.Pace(middle, p.hits); wait > resolution {
			from = middle
		} else {
			to = middle
		}
	}
	p.elapsed = to
	p.hits++
	return to, true
}

func constant(p vegeta.Pacer) bool { _, ok := p.(vegeta.ConstantPacer); return ok }

// pacerRate writes a rate in vegeta's whole numbers.
func pacerRate(r units.Rate) vegeta.Rate {
	if r < 1000 {
		// At least 1: vegeta takes 0 for infinity.
		return vegeta.Rate{Freq: max(1, int(math.Round(float64(r)*1e6))), Per: 1e6 * time.Second}
	}
	return vegeta.Rate{Freq: int(math.Round(float64(r) * 1e3)), Per: 1e3 * time.Second}
}

// evenly is a constant rate whose first request is due at once, so that a rate
// of 1/s for 15 s is 15 requests.
type evenly struct {
	paced
	begun bool
}

// newConstant returns a constant rate; without one, nothing is ever due.
func newConstant(r units.Rate) arrivals {
	if r <= 0 {
		return never{}
	}
	return &evenly{paced: paced{pacer: pacerRate(r)}}
}

func (e *evenly) next() (time.Duration, bool) {
	if !e.begun {
		e.begun = true
		return 0, true
	}
	return e.paced.next()
}

type never struct{}

func (never) next() (time.Duration, bool) { return 0, false }

// ramp goes linearly from one rate to another and stays there.
type ramp struct {
	rising paced
	over   time.Duration
	flat   arrivals // after over
	level  bool     // over is past
}

func newRamp(r *Ramp) *ramp {
	from := max(float64(r.From), 1e-6)
	return &ramp{
		rising: paced{
			pacer: vegeta.LinearPacer{StartAt: pacerRate(units.Rate(from)), Slope: (float64(r.To) - from) / r.Over.Seconds()},
			limit: r.Over.Std(),
		},
		over: r.Over.Std(),
		flat: newConstant(r.To),
	}
}

func (r *ramp) next() (time.Duration, bool) {
	if !r.level {
		if due, ok := r.rising.next(); ok && due < r.over {
			return due, true
		}
		r.level = true
	}
	due, ok := r.flat.next()
	return r.over + due, ok
}

// poisson is a Poisson process: gaps drawn from an exponential distribution of
// mean 1/rate.
type poisson struct {
	rng *rand.Rand
	gap float64 // mean, in nanoseconds
	at  float64
}

func newPoisson(r units.Rate, seed uint64) *poisson {
	return &poisson{rng: rand.New(rand.NewPCG(seed, 0)), gap: 1e9 / float64(r)}
}

func (p *poisson) next() (time.Duration, bool) {
	p.at += p.rng.ExpFloat64() * p.gap
	if p.at >= math.MaxInt64 {
		return 0, false
	}
	return time.Duration(p.at), true
}

// peakRate is the highest of o's rate.
func peakRate(o *Open) float64 {
	switch {
	case o.Sine != nil:
		return float64(o.Sine.Mean + o.Sine.Amplitude)
	case o.Poisson != nil:
		return float64(o.Poisson.Rate)
	case o.Ramp != nil:
		return float64(max(o.Ramp.From, o.Ramp.To))
	}
	return float64(o.Rate)
}

// meanRate is the average of o's rate over a duration, or over count requests.
func meanRate(o *Open, duration time.Duration, count int64) float64 {
	switch {
	case o.Sine != nil:
		return float64(o.Sine.Mean)
	case o.Poisson != nil:
		return float64(o.Poisson.Rate)
	case o.Ramp == nil:
		return float64(o.Rate)
	}
	from, to, over := float64(o.Ramp.From), float64(o.Ramp.To), o.Ramp.Over.Seconds()
	seconds := duration.Seconds()
	if count > 0 {
		seconds = rampTime(from, to, over, float64(count))
	}
	rising := min(seconds, over)
	requests := from*rising + (to-from)*rising*rising/(2*over) + to*(seconds-rising)
	if seconds <= 0 || math.IsInf(seconds, 0) {
		return 0
	}
	return requests / seconds
}

// rampTime solves from·t + (to−from)·t²/(2·over) = n for t, with the constant
// rate to after over.
func rampTime(from, to, over, n float64) float64 {
	if ramped := (from + to) / 2 * over; n > ramped {
		return over + (n-ramped)/to
	}
	a := (to - from) / (2 * over)
	if a == 0 {
		return n / from
	}
	return 2 * n / (from + math.Sqrt(from*from+4*a*n))
}

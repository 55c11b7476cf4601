package balance

import (
	"math"
	"time"
)

// EWMA is an exponentially weighted moving average in time: what was seen Tau
// ago weighs 1/e. Its zero value has seen nothing.
type EWMA struct {
	value float64
	seen  bool
	at    time.Duration
}

// Tau is the time constant of an [EWMA].
const Tau = time.Second

// Add takes in what was measured at a time on any monotonic clock:
// value += (1 − e^(−Δt/Tau)) · (x − value), and at least a hundredth of the way,
// so that a burst counts too.
func (e *EWMA) Add(at, x time.Duration) {
	if !e.seen {
		e.value, e.seen, e.at = float64(x), true, at
		return
	}
	share := max(1-math.Exp(-float64(at-e.at)/float64(Tau)), 0.01)
	e.value += share * (float64(x) - e.value)
	e.at = max(e.at, at)
}

// Value is the average; 0 before anything was seen.
func (e *EWMA) Value() time.Duration { return time.Duration(e.value) }

// Forget is how long it takes until no more than 1/e counts of what was measured
// of a backend that nothing is sent to: see [EWMA.Faded].
const Forget = 10 * time.Second

// Faded is the average of a backend that has nothing to do since the last
// measurement, value · e^(−Δt/Forget). One that was slow once would not be sent
// anything ever again if that did not fade.
func (e *EWMA) Faded(at time.Duration) time.Duration {
	if !e.seen {
		return 0
	}
	return max(1, time.Duration(e.value*math.Exp(-float64(max(0, at-e.at))/float64(Forget))))
}

// Ramp is the share of its weight that a backend has so long after it became
// ready: it grows evenly from a tenth to all of it over the time of slow start.
func Ramp(age, over time.Duration) float64 {
	if age >= over {
		return 1
	}
	return max(0.1, float64(age)/float64(over))
}

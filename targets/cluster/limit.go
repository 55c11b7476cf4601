//go:build unix

package cluster

import (
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// burst is how much of a rate may come at once, as time.
const burst = 100 * time.Millisecond

// limiter admits requests at a rate, by the generic cell rate algorithm (ITU-T
// I.371): tat is when the next request is due if all come evenly, and one may
// come earlier than that by the burst. The nil limiter admits everything.
type limiter struct {
	every time.Duration
	tat   *atomic.Int64 // clock.Time; that of all masters
}

// newLimiter admits so many requests a second, together with all others that have
// tat; 0 is no limit.
func newLimiter(perSecond float64, tat *atomic.Int64) *limiter {
	if perSecond <= 0 {
		return nil
	}
	return &limiter{every: time.Duration(float64(time.Second) / perSecond), tat: tat}
}

// admit tells whether a request may pass now, or else in how long one may.
func (l *limiter) admit(now clock.Time) (wait time.Duration, ok bool) {
	if l == nil {
		return 0, true
	}
	for {
		due := l.tat.Load()
		from := max(clock.Time(due), now)
		if early := from.Sub(now) - max(burst-l.every, 0); early > 0 {
			return early, false
		}
		if l.tat.CompareAndSwap(due, int64(from.Add(l.every))) {
			return 0, true
		}
	}
}

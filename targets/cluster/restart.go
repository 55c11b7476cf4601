package cluster

import (
	"slices"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// Replaces tells whether a worker that ended is replaced; failed means that it
// did not end with status 0.
func (r Restart) Replaces(failed bool) bool {
	return r.When == "always" || r.When == "on-failure" && failed
}

// Backoff says how long a slot waits before its next life, and when it has had
// too many.
type Backoff struct {
	restart Restart
	short   int          // short lives in a row
	ends    []clock.Time // of short lives within the window
}

// NewBackoff returns the backoff of a slot in which nothing has ended yet.
func NewBackoff(r Restart) *Backoff { return &Backoff{restart: r} }

// Next returns the wait after a life: none if it lasted MinUptime, else
// Backoff · 2ⁿ, at most MaxBackoff, after n short lives before it in a row.
func (b *Backoff) Next(lived time.Duration) time.Duration {
	if lived >= b.restart.MinUptime.Std() {
		b.short = 0
		return 0
	}
	wait, most := b.restart.Backoff.Std(), b.restart.MaxBackoff.Std()
	for range b.short {
		if wait >= most {
			break
		}
		wait *= 2
	}
	b.short++
	return min(wait, most)
}

// Exhausted notes the end of a life, and tells whether it was short and more
// than Max of those ended within Window.
func (b *Backoff) Exhausted(end clock.Time, lived time.Duration) bool {
	if lived >= b.restart.MinUptime.Std() {
		return false
	}
	b.ends = slices.DeleteFunc(b.ends, func(t clock.Time) bool { return end.Sub(t) >= b.restart.Window.Std() })
	b.ends = append(b.ends, end)
	return len(b.ends) > b.restart.Max
}

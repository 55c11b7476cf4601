package cluster

import "time"

// Replaces tells whether a worker that ended is replaced; failed means that it
// did not end with status 0.
func (r Restart) Replaces(failed bool) bool {
	return r.When == "always" || r.When == "on-failure" && failed
}

// Backoff says how long a slot waits before its next life.
type Backoff struct {
	restart Restart
	short   int // short lives in a row
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

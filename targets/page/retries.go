package page

import (
	"sync/atomic"
	"time"
)

// pauses is how many tries again are told apart: the first one, the second one,
// and all later ones.
const pauses = 3

// Retries counts what a process called again after it had failed.
type Retries struct {
	Failed    atomic.Int64 // calls whose first try failed
	Succeeded atomic.Int64 // of those that did in the end, because they were tried again
	tries     [pauses]atomic.Int64
	waited    [pauses]atomic.Int64 // ns
}

// Pause is what stood before those tries again that were each the n-th of their
// call.
type Pause struct {
	Tries  int64
	Waited time.Duration // by all of them together
}

// Again counts the n-th try again of a call, from 1, and how long it waited
// before it.
func (r *Retries) Again(n int, waited time.Duration) {
	i := min(n, pauses) - 1
	r.tries[i].Add(1)
	r.waited[i].Add(int64(waited))
}

// Pauses returns the pauses before first, second, and later tries again.
func (r *Retries) Pauses() [pauses]Pause {
	var p [pauses]Pause
	for i := range p {
		p[i] = Pause{r.tries[i].Load(), time.Duration(r.waited[i].Load())}
	}
	return p
}

func (r *Retries) reset() {
	r.Failed.Store(0)
	r.Succeeded.Store(0)
	for i := range r.tries {
		r.tries[i].Store(0)
		r.waited[i].Store(0)
	}
}

// Package protect stands between an application and a dependency that may be
// slow, down or wrong. Each protection can be left out, so that the same
// application can be watched with and without it.
//
// A [Dependency] is called with [Dependency.Do], which applies, from the outside
// in: retries within a budget (retry.go), the bound of concurrent calls
// (pool.go), the circuit breaker (breaker.go) and the timeout of one call. A
// [Keeper] keeps the last good answers for when all of that was in vain.
// Nothing here knows what kind of dependency it is, or does anything in the
// background.
package protect

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/targets/page"
)

// Errors of a call that was not made. They come wrapped with the dependency's
// name.
var (
	ErrOpen = errors.New("its breaker is open")
	ErrBusy = errors.New("no connection of its pool became free in time")
)

// Options say what a dependency is called and how calls to it are protected.
type Options struct {
	Name    string
	Timeout time.Duration // of one call; 0: none
	Pool    *Pool         // nil: no bound
	Retry   *Retry        // nil: none
	Breaker *Breaker      // nil: none

	// Healthy, unless nil, tells which errors are a sound dependency's answer,
	// such as that there is no such row. They are not tried again.
	Healthy func(error) bool
	// Retries, unless nil, is where failed calls and tries again are counted too.
	Retries *page.Retries
	// Tell, unless nil, is told of each change of the breaker's state. It must not
	// block.
	Tell func(format string, args ...any)
}

// Dependency is one that is called with protection, by any number of
// goroutines.
type Dependency struct {
	name    string
	timeout time.Duration
	healthy func(error) bool
	pool    *pool
	retry   *retry
	breaker *breaker
	counts  *page.Retries

	calls, failures, retries atomic.Int64
	latency                  atomic.Int64
}

// Stats are what a dependency's calls have come to.
type Stats struct {
	Breaker  string        // closed, open or half-open; "" without one
	Calls    int64         // that were made, tries again among them
	Failures int64         // of those
	Retries  int64         // of those
	Latency  time.Duration // of the last one
}

// New returns a dependency that has not been called.
func New(o Options) *Dependency {
	d := &Dependency{name: o.Name, timeout: o.Timeout, healthy: o.Healthy, counts: o.Retries}
	if d.counts == nil {
		d.counts = new(page.Retries)
	}
	if d.healthy == nil {
		d.healthy = func(error) bool { return false }
	}
	if o.Pool != nil {
		d.pool = newPool(*o.Pool)
	}
	if o.Retry != nil {
		d.retry = newRetry(*o.Retry)
	}
	if o.Breaker != nil {
		tell := o.Tell
		if tell == nil {
			tell = func(string, ...any) {}
		}
		d.breaker = newBreaker(*o.Breaker, d.healthy, tell)
	}
	return d
}

// Name is what the dependency is called.
func (d *Dependency) Name() string { return d.name }

// Stats returns what the calls so far have come to.
func (d *Dependency) Stats() Stats {
	s := Stats{
		Calls: d.calls.Load(), Failures: d.failures.Load(), Retries: d.retries.Load(),
		Latency: time.Duration(d.latency.Load()),
	}
	if d.breaker != nil {
		s.Breaker = d.breaker.state()
	}
	return s
}

// Do calls the dependency: call, once or, with a retry, several times, each time
// with a context that ends with ctx or with the call's timeout. Its error is
// that of the last call, or [ErrOpen] or [ErrBusy] if none was made; it names the
// dependency unless it is a healthy one's answer.
func (d *Dependency) Do(ctx context.Context, call func(context.Context) error) error {
	if d.retry != nil {
		d.retry.deposit()
	}
	for tries := 1; ; tries++ {
		err := d.once(ctx, call)
		if err == nil || d.healthy(err) {
			if tries > 1 {
				d.counts.Succeeded.Add(1)
			}
			return err
		}
		if !d.again(ctx, tries, err) {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
}

// again pauses after a try that failed, and returns whether to make another.
func (d *Dependency) again(ctx context.Context, tries int, err error) bool {
	if !d.worthAgain(ctx, err) {
		return false
	}
	if tries == 1 {
		d.counts.Failed.Add(1)
	}
	if d.retry == nil {
		return false
	}
	start := time.Now()
	if !d.retry.again(ctx, tries) {
		return false
	}
	d.counts.Again(tries, time.Since(start))
	d.retries.Add(1)
	return true
}

// worthAgain tells whether a call that failed might do better a moment later.
func (d *Dependency) worthAgain(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, ErrOpen) && !errors.Is(err, ErrBusy)
}

// once makes one call, if it may be made.
func (d *Dependency) once(ctx context.Context, call func(context.Context) error) error {
	if d.pool != nil {
		if err := d.pool.acquire(ctx); err != nil {
			return err
		}
		defer d.pool.release()
	}
	if d.breaker != nil {
		return d.breaker.do(ctx, func() error { return d.timed(ctx, call) })
	}
	return d.timed(ctx, call)
}

func (d *Dependency) timed(ctx context.Context, call func(context.Context) error) error {
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	start := time.Now()
	err := call(ctx)
	d.latency.Store(int64(time.Since(start)))
	d.calls.Add(1)
	if err != nil && !d.healthy(err) {
		d.failures.Add(1)
	}
	return err
}

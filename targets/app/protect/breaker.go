package protect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/sony/gobreaker/v2"
)

const (
	// window is that of the error rate, in buckets of a second.
	window = 10 * time.Second
	bucket = time.Second
	// fewest calls that say something about a rate.
	fewest = 10
)

// errGone marks a call whose client left: it says nothing of the dependency.
var errGone = errors.New("the client has gone")

// breaker is a circuit breaker that tells why it opens, and that lets only so
// many calls through at once while it tries again.
type breaker struct {
	breaker *gobreaker.CircuitBreaker[struct{}]
	trials  chan struct{}
	tell    func(format string, args ...any)

	mu     sync.Mutex
	last   error  // the last failure
	reason string // why it opens
}

func newBreaker(c Breaker, healthy func(error) bool, tell func(format string, args ...any)) *breaker {
	b := &breaker{trials: make(chan struct{}, c.HalfOpen), tell: tell}
	settings := gobreaker.Settings{
		MaxRequests:   uint32(c.Successes),
		Timeout:       c.Open.Std(),
		OnStateChange: b.changed,
		IsSuccessful:  func(err error) bool { return err == nil || healthy(err) },
		IsExcluded:    func(err error) bool { return errors.Is(err, errGone) },
		ReadyToTrip: func(n gobreaker.Counts) bool {
			switch rate := units.Ratio(float64(n.TotalFailures) / float64(max(n.Requests, 1))); {
			case c.Failures > 0 && n.ConsecutiveFailures >= uint32(c.Failures):
				b.because(fmt.Sprintf("after %s in a row", units.CountOf(int64(n.ConsecutiveFailures), "failure")))
			case c.ErrorRate > 0 && n.Requests >= fewest && rate >= c.ErrorRate:
				b.because(fmt.Sprintf("after %d of %d calls failed", n.TotalFailures, n.Requests))
			default:
				return false
			}
			return true
		},
	}
	if c.ErrorRate > 0 {
		settings.Interval, settings.BucketPeriod = window, bucket
	}
	b.breaker = gobreaker.NewCircuitBreaker[struct{}](settings)
	return b
}

func (b *breaker) state() string { return b.breaker.State().String() }

func (b *breaker) because(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reason = reason
}

// changed tells of a new state; gobreaker calls it under its lock.
func (b *breaker) changed(_ string, from, to gobreaker.State) {
	b.mu.Lock()
	reason, last := b.reason, b.last
	b.mu.Unlock()
	switch {
	case to == gobreaker.StateHalfOpen:
		b.tell("breaker is half-open: it tries again")
	case to == gobreaker.StateClosed:
		b.tell("breaker closes")
	case from == gobreaker.StateHalfOpen:
		b.tell("breaker opens again: %v", last)
	default:
		b.tell("breaker opens %s: %v", reason, last)
	}
}

// do makes a call unless the breaker is open, and counts how it went.
func (b *breaker) do(ctx context.Context, call func() error) error {
	if b.breaker.State() == gobreaker.StateHalfOpen {
		select {
		case b.trials <- struct{}{}:
			defer func() { <-b.trials }()
		default:
			return ErrOpen
		}
	}
	var err error
	_, refused := b.breaker.Execute(func() (struct{}, error) {
		if err = call(); err == nil {
			return struct{}{}, nil
		}
		if ctx.Err() != nil {
			return struct{}{}, errGone
		}
		b.mu.Lock()
		b.last = err
		b.mu.Unlock()
		return struct{}{}, err
	})
	if errors.Is(refused, gobreaker.ErrOpenState) || errors.Is(refused, gobreaker.ErrTooManyRequests) {
		return ErrOpen
	}
	return err
}

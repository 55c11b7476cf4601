package protect

import (
	"context"
	"time"
)

// pool lets so many calls run at once: a bulkhead, so that a slow dependency
// costs no more than its own connections.
type pool struct {
	free chan struct{}
	wait time.Duration
}

func newPool(c Pool) *pool {
	return &pool{free: make(chan struct{}, max(c.Max, 1)), wait: c.Wait.Std()}
}

func (p *pool) acquire(ctx context.Context) error {
	select {
	case p.free <- struct{}{}:
		return nil
	default:
	}
	var late <-chan time.Time
	if p.wait > 0 {
		t := time.NewTimer(p.wait)
		defer t.Stop()
		late = t.C
	}
	select {
	case p.free <- struct{}{}:
		return nil
	case <-late:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) release() { <-p.free }

package app

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app/store"
)

const (
	// maxQueued is how many payments a process keeps for later.
	maxQueued = 10_000
	// deliverEvery is how often it tries to deliver them.
	deliverEvery = 250 * time.Millisecond
)

// queue delivers payments later. It is this process's own: what is in it when
// the process is killed is lost.
type queue struct {
	pay  func(ctx context.Context, p store.Payment) error
	tell func(format string, args ...any)

	mu        sync.Mutex
	waiting   []store.Payment
	delivered int64
	refused   int64
	running   bool
	began     int64 // delivered and refused, when it began to run
	closed    bool
	wg        sync.WaitGroup
	stop      context.CancelFunc
	ctx       context.Context
}

func newQueue(pay func(context.Context, store.Payment) error, tell func(string, ...any)) *queue {
	q := &queue{pay: pay, tell: tell}
	q.ctx, q.stop = context.WithCancel(context.Background())
	return q
}

// add keeps a payment for later; false if there is no room.
func (q *queue) add(p store.Payment) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.waiting) >= maxQueued {
		return false
	}
	q.waiting = append(q.waiting, p)
	if !q.running {
		q.running, q.began = true, q.delivered+q.refused
		q.tell("payments are queued")
		q.wg.Go(q.run)
	}
	return true
}

// run delivers until nothing is left.
func (q *queue) run() {
	tick := time.NewTicker(deliverEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-q.ctx.Done():
			return
		}
		if q.deliver(q.ctx) {
			return
		}
	}
}

// deliver pays one after the other, until one fails. It returns whether none is
// left.
func (q *queue) deliver(ctx context.Context) (empty bool) {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.tell("the queue is empty: %s delivered late", units.CountOf(int64(q.delivered+q.refused-q.began), "payment"))
			q.running = false
			q.mu.Unlock()
			return true
		}
		p := q.waiting[0]
		q.mu.Unlock()
		err := q.pay(ctx, p)
		refused := errors.As(err, &store.RefusedError{})
		if err != nil && !refused {
			return false
		}
		q.mu.Lock()
		q.waiting = q.waiting[1:]
		if refused {
			q.refused++
		} else {
			q.delivered++
		}
		q.mu.Unlock()
	}
}

// close tries once more, until ctx ends, and tells what is lost.
func (q *queue) close(ctx context.Context) {
	q.mu.Lock()
	q.closed = true
	running := q.running
	q.mu.Unlock()
	q.stop()
	q.wg.Wait()
	if running && len(q.waiting) > 0 && !q.deliver(ctx) {
		q.tell("%d queued payments are lost with the process", len(q.waiting))
	}
}

// count tells what is in the queue and what went through it.
func (q *queue) count() map[string]int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return map[string]int64{"queued": int64(len(q.waiting)), "delivered_late": q.delivered, "refused_late": q.refused}
}

// payments: POST pays, GET tells of the queue. A payment that fails while the
// breaker is open, or opens it, is queued, and answered 202.
func (a *App) payments(r *http.Request, h http.Header) (reply, error) {
	if err := allow(r, h, http.MethodGet, http.MethodHead, http.MethodPost); err != nil {
		return reply{}, err
	}
	if r.Method != http.MethodPost {
		return reply{value: a.queue.count()}, a.remotes.payments.missing
	}
	p := store.Payment{ID: a.newID(), Amount: 100}
	err := a.pay(r.Context(), p)
	refused := store.RefusedError{}
	switch {
	case err != nil && !healthy(err) && a.remotes.payments.open() && a.queue.add(p):
		h.Set(degraded, "queued")
		return reply{http.StatusAccepted, map[string]string{"id": p.ID, "state": "queued"}}, nil
	case errors.As(err, &refused):
		return reply{http.StatusPaymentRequired, map[string]any{"id": p.ID, "state": "refused", "status": refused.Status}}, nil
	}
	return reply{http.StatusCreated, map[string]string{"id": p.ID, "state": "paid"}}, err
}

func (a *App) pay(ctx context.Context, p store.Payment) error {
	return a.remotes.payments.do(ctx, func(ctx context.Context, c *store.Payments) error { return c.Pay(ctx, p) })
}

package app

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// room bounds how many requests are worked on at once. A new connection waits
// for a place before it is read, so that somebody else may take it; a request on
// a kept one waits here, for a while.
type room struct {
	places  *Processor
	wait    time.Duration
	most    int64 // that may wait; 0: no limit
	waiting atomic.Int64
}

// newRoom returns the nil room, which has no bound, for 0 places.
func newRoom(places, most int, wait time.Duration) *room {
	if places <= 0 {
		return nil
	}
	return &room{places: NewProcessor(places, new(atomic.Int64)), most: int64(most), wait: wait}
}

func (r *room) leave() {
	if r != nil {
		r.places.Release()
	}
}

// Arrive waits until the application takes in one more connection, for which a
// place and a processor are free then.
func (a *App) Arrive(ctx context.Context) (*Arrival, error) {
	if a.room != nil {
		if err := a.room.places.wait(ctx, arrivals); err != nil {
			return nil, err
		}
	}
	arrival, err := a.processor.Arrive(ctx)
	if err != nil {
		a.room.leave()
		return nil, err
	}
	if a.room != nil {
		arrival.room.Store(a.room)
	}
	return arrival, nil
}

// enter takes the place that the request's connection came with, or waits for
// one. It answers 503 and returns false if there is none in time.
func (a *App) enter(w http.ResponseWriter, r *http.Request, arrival *Arrival) bool {
	if a.room == nil || arrival.takePlace() != nil {
		return true
	}
	if a.room.acquire(r.Context()) {
		return true
	}
	w.Header().Set("Retry-After", "1")
	a.answer(w, http.StatusServiceUnavailable, "too many requests are in flight\n")
	return false
}

// acquire waits for a place; false says that there is none in time, or that too
// many wait already.
func (r *room) acquire(ctx context.Context) bool {
	if n := r.waiting.Add(1); r.most > 0 && n > r.most {
		r.waiting.Add(-1)
		return false
	}
	defer r.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	return r.places.Acquire(ctx) == nil
}

// takePlace passes the connection's place to the caller; nil if it has none.
func (a *Arrival) takePlace() *room {
	if a == nil {
		return nil
	}
	return a.room.Swap(nil)
}

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/targets/app/protect"
	"github.com/hachaos/hachaos/targets/app/store"
)

// maxItem is how much a request may bring to be stored, in bytes.
const maxItem = 64 << 10

// reply is a handler's answer: a value in JSON with a status, 200 if it is 0.
type reply struct {
	status int
	value  any
}

// statusError is an error with the status it is answered with.
type statusError struct {
	status int
	text   string
}

func (e statusError) Error() string { return e.text }

// handler answers a request of one route. What it puts into h is sent along.
type handler func(r *http.Request, h http.Header) (reply, error)

// handlerOf finds a route's handler; nil if there is none.
func (a *App) handlerOf(path string) handler {
	switch path {
	case "/login":
		return a.login
	case "/profile":
		return a.profile
	case "/items":
		return a.items
	case "/items/all":
		return a.allItems
	case "/items/check":
		return a.checkItems
	case "/docs":
		return a.docs
	case "/cached":
		return a.cached
	case "/payments":
		return a.payments
	case "/users":
		return a.users
	case "/compute":
		return a.compute
	}
	switch {
	case strings.HasPrefix(path, "/items/"):
		return a.item
	case strings.HasPrefix(path, "/docs/"):
		return a.doc
	}
	return nil
}

// route answers what is neither the plain work nor the plain health. It holds a
// place among the requests in flight, but no processor: nothing here computes for
// long but /compute.
func (a *App) route(w http.ResponseWriter, r *http.Request, arrival *Arrival) {
	if r.URL.Path == "/health/detailed" {
		arrival.End()
		a.answerJSON(w, http.StatusOK, a.detail(r.Context()))
		return
	}
	handle := a.handlerOf(r.URL.Path)
	if handle == nil {
		a.answer(w, http.StatusNotFound, "not found\n")
		return
	}
	if !a.enter(w, r, arrival) {
		return
	}
	defer a.room.leave()
	arrival.End()
	a.entry.InFlight.Add(1)
	defer a.entry.InFlight.Add(-1)
	if a.rejecting.Load() {
		a.reject(w)
		return
	}
	answer, err := handle(r, w.Header())
	if r.Context().Err() != nil {
		return // the client has gone
	}
	a.entry.Served.Add(1)
	if err != nil {
		a.answer(w, statusOf(err), err.Error()+"\n")
		return
	}
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	a.answerJSON(w, answer.status, answer.value)
}

func (a *App) answerJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		a.answer(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	a.answer(w, status, string(text)+"\n")
}

// statusOf is 503 for what was not even tried, 504 for what took too long, and
// 502 for a dependency's other failures.
func statusOf(err error) int {
	var own statusError
	var slow net.Error
	switch {
	case errors.As(err, &own):
		return own.status
	case errors.Is(err, protect.ErrOpen), errors.Is(err, protect.ErrBusy):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return http.StatusGatewayTimeout
	case errors.Is(err, store.ErrNone):
		return http.StatusNotFound
	}
	return http.StatusBadGateway
}

// recall answers a read: by asking, or, if the dependency fails, as the fallback
// says: the last good answer under the key, or a fixed one. The answer says so
// in X-Degraded.
func recall[T any](a *App, h http.Header, keeper *protect.Keeper[T], key string, fixed T, ask func() (T, error)) (T, error) {
	got, err := ask()
	var own statusError
	switch {
	case err == nil:
		if a.config.Fallback == "stale" {
			keeper.Keep(key, got)
		}
		return got, nil
	case healthy(err) || errors.As(err, &own):
		return got, err
	}
	switch a.config.Fallback {
	case "stale":
		if last, ok := keeper.Last(key); ok {
			h.Set(degraded, "stale")
			return last, nil
		}
	case "default":
		h.Set(degraded, "default")
		return fixed, nil
	}
	return got, err
}

// degraded is the header of answers that are good, but not as good as they
// should be.
const degraded = "X-Degraded"

// allow returns an error unless the method is one of those.
func allow(r *http.Request, h http.Header, methods ...string) error {
	for _, m := range methods {
		if r.Method == m {
			return nil
		}
	}
	h.Set("Allow", strings.Join(methods, ", "))
	return statusError{http.StatusMethodNotAllowed, "only " + strings.Join(methods, ", ") + " here"}
}

// ids counts the ids that this process gave.
var ids atomic.Uint32

// newID is unique over all processes of a machine, and sorts by time.
func (a *App) newID() string {
	return fmt.Sprintf("%016x-%08d-%06x", time.Now().UnixNano(), a.number, ids.Add(1)&0xffffff)
}

// Package app is the reference application: a small HTTP service whose cost is
// known, which can crash on purpose, and which counts what it served where its
// death cannot reach.
//
// [App] is the handler; its CPU work runs on a [Processor] of a fixed number of
// tokens. [Server] serves it over a listener and drains. [RunSingle] is a whole
// process of it; package cluster runs many.
package app

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/targets/page"
)

// maxBody is how much of a request's body is read, in bytes.
const maxBody = 10 << 20

// Options say what an application is part of.
type Options struct {
	Config  Config
	Threads int    // processors it uses at once, at least 1
	Seed    uint64 // with Slot and Life: when it crashes, if it does
	Slot    int
	Life    int
	Entry   *page.Entry // where it counts

	MaxInFlight int           // requests that it works on at once; 0: no limit
	Wait        time.Duration // how long one on a kept connection waits for that

	Requests *page.Requests // what it answered is counted here; nil: somebody else counts
}

// App answers requests: / burns the configured work and says its pid, /health
// and /ready say 503 while draining, /live never does, the rest is 404. Every
// answer carries the pid in X-Worker.
type App struct {
	config    Config
	processor *Processor
	room      *room // nil: no limit
	entry     *page.Entry
	requests  *page.Requests
	pid       string
	hello     string
	crash     time.Duration
	draining  atomic.Bool
	unready   atomic.Bool
	rejecting atomic.Bool
	leaked    leak
}

// New returns an application. It does nothing until it is served.
func New(o Options) *App {
	a := &App{
		config:    o.Config,
		processor: NewProcessor(o.Threads, &o.Entry.Busy),
		room:      newRoom(o.MaxInFlight, o.Wait),
		entry:     o.Entry,
		requests:  o.Requests,
		pid:       strconv.Itoa(os.Getpid()),
		// Of one length for all workers: ab counts answers of another as failed.
		hello: fmt.Sprintf("hello from process %8d\n", os.Getpid()),
	}
	if o.Config.Crash != nil {
		a.crash = lifetime(o)
	}
	return a
}

// lifetime draws when this process crashes, uniformly from 0 to crash.after.
// Each life of each slot draws its own, so that who crashes when does not
// depend on which process started first.
func lifetime(o Options) time.Duration {
	r := rand.New(rand.NewPCG(o.Seed, uint64(o.Slot)<<32|uint64(o.Life)))
	return time.Duration(r.Float64() * float64(o.Config.Crash.After))
}

// Processor is what the application's CPU work runs on.
func (a *App) Processor() *Processor { return a.processor }

// Crash returns when the process is to crash after it began to serve, and with
// which exit code; ok is false if it is not.
func (a *App) Crash() (after time.Duration, code int, ok bool) {
	if a.config.Crash == nil {
		return 0, 0, false
	}
	code = 1
	if a.config.Crash.Code != nil {
		code = *a.config.Crash.Code
	}
	return a.crash, code, true
}

// Start takes the time that the application is configured to take before it
// serves. It returns false if ctx ended first.
func (a *App) Start(ctx context.Context) bool {
	return a.config.Start <= 0 || sleep(ctx, a.config.Start.Std())
}

// Drain lets /health and /ready fail and every answer close its connection.
func (a *App) Drain() { a.draining.Store(true) }

// Unready lets /health and /ready fail; everything else is served as before.
func (a *App) Unready() { a.unready.Store(true) }

// Reject lets requests that begin from now on be answered 503 and close their
// connection.
func (a *App) Reject() {
	a.Unready()
	a.rejecting.Store(true)
}

// ServeHTTP implements [http.Handler].
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrival := arrivalOf(r.Context())
	defer arrival.End()
	h := w.Header()
	h.Set("X-Worker", a.pid)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	switch r.URL.Path {
	case "/":
		a.work(w, r, arrival)
	case "/health", "/ready":
		if a.draining.Load() || a.unready.Load() {
			a.answer(w, http.StatusServiceUnavailable, "draining\n")
			return
		}
		a.answer(w, http.StatusOK, "ok\n")
	case "/live":
		a.answer(w, http.StatusOK, "ok\n")
	default:
		a.answer(w, http.StatusNotFound, "not found\n")
	}
}

func (a *App) work(w http.ResponseWriter, r *http.Request, arrival *Arrival) {
	if !a.enter(w, r, arrival) {
		return
	}
	defer a.room.leave()
	a.entry.InFlight.Add(1)
	defer a.entry.InFlight.Add(-1)
	if a.rejecting.Load() {
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Connection", "close")
		a.answer(w, http.StatusServiceUnavailable, "draining\n")
		return
	}
	a.leaked.grow(int64(a.config.Leak))
	if !a.takeIn(w, r, arrival) {
		return
	}
	if a.config.Work > 0 {
		if !arrival.take() && a.processor.Acquire(r.Context()) != nil {
			return // the client left while it waited for a processor
		}
		defer a.processor.Release()
		burn(a.config.Work.Std())
	}
	a.entry.Served.Add(1)
	a.answer(w, http.StatusOK, a.hello)
	// The answer leaves while the token is still held: a crash then costs the
	// request that has the processor, and no other that is done but not sent.
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// takeIn reads the request's body and waits as configured, without a processor.
// It returns false if the request has ended meanwhile.
func (a *App) takeIn(w http.ResponseWriter, r *http.Request, arrival *Arrival) bool {
	if r.ContentLength != 0 {
		arrival.End() // the client may send as slowly as it likes
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			a.answer(w, http.StatusRequestEntityTooLarge, "body too large or incomplete\n")
			return false
		}
	}
	if a.config.Wait > 0 {
		arrival.End()
		return sleep(r.Context(), a.config.Wait.Std())
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *App) answer(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	if a.draining.Load() {
		h.Set("Connection", "close")
	}
	if status >= http.StatusInternalServerError {
		a.entry.Errors.Add(1)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that has gone is no concern of ours
}

// Package app is the reference application: a small HTTP service whose cost is
// known, which can crash on purpose, and which counts what it served where its
// death cannot reach.
//
// [App] is the handler; its CPU work runs on a [Processor] of a fixed number of
// tokens. Further routes use Redis, PostgreSQL, MongoDB and an HTTP API, if the
// environment says where those are (depend.go), through the protections of
// package protect; what they are is told at [App.ServeHTTP]. [Server] serves it
// over a listener and drains. [RunSingle] is a whole process of it; package
// cluster runs many.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/targets/app/protect"
	"github.com/hachaos/hachaos/targets/app/store"
	"github.com/hachaos/hachaos/targets/note"
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
	MaxWaiting  int           // requests on kept connections that wait for that; 0: no limit
	Wait        time.Duration // how long one does

	Requests *page.Requests      // what it answered is counted here; nil: somebody else counts
	Getenv   func(string) string // tells the dependencies' URLs; nil: os.Getenv
	Compute  []string            // how the child of compute: child is started; nil: as hachaos does
	Notes    *note.Sender        // told of breakers and the like; nil: nobody is
}

// App answers requests.
type App struct {
	config    Config
	processor *Processor
	room      *room // nil: no limit
	entry     *page.Entry
	requests  *page.Requests
	slot      int
	number    int    // pid
	pid       string // the same
	hello     string
	crash     time.Duration
	draining  atomic.Bool
	unready   atomic.Bool
	rejecting atomic.Bool
	screened  bool // see Server.Screened
	leaked    leak
	began     time.Time
	notes     *note.Sender

	remotes      *remotes
	sessions     sessions
	cache        *cache
	queue        *queue
	child        *child
	acknowledged acknowledged
	told         atomic.Pointer[int64] // how many users there are

	// What answered last, for fallback: stale.
	profiles *protect.Keeper[Session]
	lists    *protect.Keeper[[]store.Item]
	values   *protect.Keeper[value]
	counts   *protect.Keeper[int64]
}

// maxStale is how many answers of a kind are kept for fallback: stale.
const maxStale = 10_000

// New returns an application. It connects to nothing until it is started or
// served.
func New(o Options) *App {
	o.Config.SetDefaults()
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if s := o.Config.Slow; s != nil && s.Worker == o.Slot {
		o.Config.Wait += s.Wait
	}
	a := &App{
		config:    o.Config,
		processor: NewProcessor(o.Threads, &o.Entry.Busy),
		room:      newRoom(o.MaxInFlight, o.MaxWaiting, o.Wait),
		entry:     o.Entry,
		requests:  o.Requests,
		slot:      o.Slot,
		number:    os.Getpid(),
		pid:       strconv.Itoa(os.Getpid()),
		// Of one length for all workers: ab counts answers of another as failed.
		hello:    fmt.Sprintf("hello from process %8d\n", os.Getpid()),
		began:    time.Now(),
		notes:    o.Notes,
		profiles: protect.NewKeeper[Session](maxStale),
		lists:    protect.NewKeeper[[]store.Item](maxStale),
		values:   protect.NewKeeper[value](maxStale),
		counts:   protect.NewKeeper[int64](maxStale),
	}
	if o.Config.Crash != nil {
		a.crash = lifetime(o)
	}
	a.remotes = openRemotes(o.Config, o.Getenv, &o.Entry.Retries, func(source, format string, args ...any) {
		a.tell(source, "worker %d: "+format, append([]any{a.slot}, args...)...)
	})
	a.sessions = memorySessions{protect.NewKeeper[Session](maxSessions)}
	if o.Config.Sessions == "redis" {
		a.sessions = redisSessions{a.remotes.redis}
	}
	a.cache = &cache{redis: a.remotes.redis, ask: a.askDatabase}
	if o.Config.Cache != nil {
		a.cache.Cache = *o.Config.Cache
	}
	a.cache.local = newLocal(a.cache.LocalTTL.Std())
	a.queue = newQueue(a.pay, func(format string, args ...any) {
		a.tell("payments", "worker %d: "+format, append([]any{a.slot}, args...)...)
	})
	if o.Compute == nil {
		if self, err := os.Executable(); err == nil {
			o.Compute = []string{self, "worker", "--compute"}
		}
	}
	a.child = newChild(o.Compute)
	return a
}

// tell tells the run's report, if there is one, what happened.
func (a *App) tell(source, format string, args ...any) { a.notes.Send(source, format, args...) }

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
// serves, and makes the database's tables if there is one. It returns false if
// ctx ended first.
func (a *App) Start(ctx context.Context) bool {
	if a.config.Start > 0 && !sleep(ctx, a.config.Start.Std()) {
		return false
	}
	a.remotes.prepare(ctx)
	return ctx.Err() == nil
}

// Close ends what the application uses, after it was served, within ctx's time:
// queued payments are delivered if they can be, and the report is told whether
// the writes that were acknowledged are there.
func (a *App) Close(ctx context.Context) {
	a.queue.close(ctx)
	a.reportItems(ctx)
	a.child.close(ctx)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		a.remotes.close()
	}()
	select {
	case <-closed:
	case <-ctx.Done(): // a call that hangs holds its connection; both end with the process
	}
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

// ServeHTTP implements [http.Handler]. Every answer carries the pid in X-Worker.
//
//	/                 burns the configured work and says the pid
//	/health, /ready   503 while draining; /ready may look at the dependencies too
//	/live             always 200
//	/health/detailed  how the process and its dependencies are ([Detail])
//	/login, /profile  sessions (session.go)
//	/items            rows of the database (items.go); /items/all, /items/check, /items/ID
//	/docs, /docs/ID   documents of MongoDB (docs.go)
//	/cached           a value through caches (cached.go)
//	/payments         an external API, with a queue (payment.go)
//	/users            how many users there are (users.go)
//	/compute          processor time, here or in a child process (compute.go)
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrival := arrivalOf(r.Context())
	defer arrival.End()
	h := w.Header()
	h.Set("X-Worker", a.pid)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if a.screened && len(r.TransferEncoding) > 0 {
		h.Set("Connection", "close") // who screens requests does not see where this one ends
	}
	switch r.URL.Path {
	case "*": // OPTIONS: the server itself is asked
		if r.Method != http.MethodOptions {
			a.route(w, r, arrival)
			return
		}
		w.WriteHeader(http.StatusOK)
	case "/":
		a.work(w, r, arrival)
	case "/health", "/ready":
		if a.draining.Load() || a.unready.Load() {
			a.answer(w, http.StatusServiceUnavailable, "draining\n")
			return
		}
		if r.URL.Path == "/ready" {
			arrival.End()
			a.ready(w, r)
			return
		}
		a.answer(w, http.StatusOK, "ok\n")
	case "/live":
		a.answer(w, http.StatusOK, "ok\n")
	default:
		a.route(w, r, arrival)
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
		a.reject(w)
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

func (a *App) reject(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Connection", "close")
	a.answer(w, http.StatusServiceUnavailable, "draining\n")
}

// takeIn reads the request's body and waits as configured, without a processor.
// It returns false if the request has ended meanwhile.
func (a *App) takeIn(w http.ResponseWriter, r *http.Request, arrival *Arrival) bool {
	if r.ContentLength != 0 {
		arrival.End() // the client may send as slowly as it likes
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				a.answer(w, http.StatusRequestEntityTooLarge, "body too large\n")
			} else {
				a.answer(w, http.StatusBadRequest, "body malformed or incomplete\n")
			}
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

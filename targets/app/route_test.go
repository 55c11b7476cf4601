package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app/apptest"
	"github.com/hachaos/hachaos/targets/app/protect"
	"github.com/hachaos/hachaos/targets/note"
	"github.com/hachaos/hachaos/targets/page"
)

// env is where an application of a test finds its dependencies.
type env map[string]string

// tested is an application, and what it tells the report.
type tested struct {
	*App
	t      *testing.T
	entry  *page.Entry
	hear   *note.Listener
	closed bool

	mu     sync.Mutex
	events []string
}

// newTested starts an application. It is closed at the test's end.
func newTested(t *testing.T, c Config, e env) *tested {
	t.Helper()
	dir, err := os.MkdirTemp("", "app") // a test's own directory has too long a path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := &tested{t: t, entry: new(page.Entry)}
	a.hear, err = note.Listen(filepath.Join(dir, "s"), func(_ clock.Time, e note.Event) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.events = append(a.events, e.Source+": "+e.What)
	})
	if err != nil {
		t.Fatal(err)
	}
	notes, err := note.Dial(a.hear.Address())
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a.App = New(Options{
		Config: c, Threads: 1, Slot: 1, Entry: a.entry, Notes: notes, Compute: []string{self},
		Getenv: func(name string) string { return e[name] },
	})
	t.Cleanup(func() {
		a.end()
		notes.Close()
		a.hear.Close()
		if n, busy := a.entry.InFlight.Load(), a.entry.Busy.Load(); n != 0 || busy != 0 {
			t.Errorf("%d requests are in flight, %d processors busy", n, busy)
		}
	})
	if !a.Start(t.Context()) {
		t.Fatal("it does not start")
	}
	return a
}

// end closes the application as a process that drains does.
func (a *tested) end() {
	if !a.closed {
		a.closed = true
		ctx, cancel := context.WithTimeout(context.Background(), apptest.Patience)
		defer cancel()
		a.Close(ctx)
	}
}

// ask sends a request: "GET /path" or "POST /path body", and headers.
func (a *tested) ask(request string, headers ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	ctx, cancel := context.WithTimeout(context.Background(), apptest.Patience)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

// want asks and checks the answer's status and its X-Degraded.
func (a *tested) want(request string, status int, degradation string) *httptest.ResponseRecorder {
	a.t.Helper()
	w := a.ask(request)
	if got := w.Header().Get(degraded); w.Code != status || got != degradation {
		a.t.Errorf("%s: %d, degraded %q, %s; want %d, %q", request, w.Code, got, w.Body, status, degradation)
	}
	return w
}

// awaitStatus asks until the answer has a status.
func (a *tested) awaitStatus(request string, status int) {
	a.t.Helper()
	apptest.Await(a.t, request, func() bool { return a.ask(request).Code == status })
}

// heard are the events so far.
func (a *tested) heard() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.events)
}

// awaitEvents waits until events that begin so were heard, in that order.
func (a *tested) awaitEvents(want ...string) {
	a.t.Helper()
	var got []string
	defer func() {
		if a.t.Failed() {
			a.t.Logf("heard was %q", got)
		}
	}()
	apptest.Await(a.t, strings.Join(want, "; "), func() bool {
		got = a.heard()
		next := 0
		for _, e := range got {
			if next < len(want) && strings.HasPrefix(e, want[next]) {
				next++
			}
		}
		return next == len(want)
	})
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return v
}

func millis(n int) units.Duration { return units.Duration(time.Duration(n) * time.Millisecond) }

// soon is a breaker that opens and tries again quickly.
func soon() *protect.Breaker {
	return &protect.Breaker{Failures: 3, Open: millis(50), HalfOpen: 1, Successes: 1}
}

func TestMissingDependenciesAreNamed(t *testing.T) {
	a := newTested(t, Config{Sessions: "redis"}, nil)
	for request, want := range map[string]string{
		"GET /login":         "REDIS_URL is not set: this route needs the Redis server\n",
		"GET /profile":       "REDIS_URL is not set: this route needs the Redis server\n",
		"GET /items":         "DATABASE_URL is not set: this route needs the PostgreSQL server\n",
		"POST /items x":      "DATABASE_URL is not set: this route needs the PostgreSQL server\n",
		"GET /items/all":     "DATABASE_URL is not set: this route needs the PostgreSQL server\n",
		"GET /items/7":       "DATABASE_URL is not set: this route needs the PostgreSQL server\n",
		"GET /items?ryw=1":   "DATABASE_URL is not set: this route needs the PostgreSQL server\n",
		"GET /cached":        "DATABASE_URL is not set: this route needs the PostgreSQL server\n",
		"GET /users":         "DATABASE_URL is not set: this route needs the PostgreSQL server\n",
		"POST /users?user=x": "DATABASE_URL is not set: this route needs the PostgreSQL server\n",
		"GET /docs":          "MONGODB_URL is not set: this route needs the MongoDB server\n",
		"POST /docs x":       "MONGODB_URL is not set: this route needs the MongoDB server\n",
		"GET /docs/7":        "MONGODB_URL is not set: this route needs the MongoDB server\n",
		"GET /payments":      "PAYMENTS_URL is not set: this route needs the payments API\n",
		"POST /payments":     "PAYMENTS_URL is not set: this route needs the payments API\n",
	} {
		if w := a.ask(request); w.Code != http.StatusServiceUnavailable || w.Body.String() != want {
			t.Errorf("%s: %d %s", request, w.Code, w.Body)
		}
	}
	// A fallback is for dependencies that fail, not for those that are not there.
	b := newTested(t, Config{Fallback: "default"}, env{"DATABASE_URL": "mysql://a"})
	if w := b.ask("GET /items"); w.Code != http.StatusServiceUnavailable || w.Body.String() != "DATABASE_URL cannot be used: its scheme is \"mysql\", want postgres or postgresql\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestBadRequests(t *testing.T) {
	a := newTested(t, Config{}, nil)
	for request, want := range map[string]int{
		"DELETE /items": 405, "PUT /docs": 405, "POST /cached": 405, "PATCH /payments": 405, "PUT /users": 405, "POST /items/all": 405,
		"GET /login?user=a/b": 400, "GET /profile?user=" + strings.Repeat("x", 65): 400,
		"GET /compute?for=-1s": 400, "GET /compute?for=11s": 400, "GET /compute?for=soon": 400,
		"GET /cached?key=" + strings.Repeat("x", 65):    400,
		"POST /items " + strings.Repeat("x", maxItem+1): 413,
		"GET /nowhere": 404, "GET /items2": 404,
	} {
		if w := a.ask(request); w.Code != want {
			t.Errorf("%.60s: %d %s", request, w.Code, w.Body)
		}
	}
}

// A request that waits for a dependency holds no processor, so that others are
// served meanwhile.
func TestWaitingHoldsNoProcessor(t *testing.T) {
	for _, path := range []string{"/profile", "/ready", "/health/detailed"} {
		// Each has a client of its own: one may go on with the connection that was
		// made for a request which has been given up.
		relay := apptest.NewRelay(t, "127.0.0.1:1")
		relay.Mute()
		a := newTested(t, Config{Sessions: "redis", Ready: "deep"}, env{"REDIS_URL": "redis://" + relay.Address})
		arrival, err := a.Arrive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), arrivalKey{}, arrival))
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", path, nil))
		}()
		apptest.Await(t, path+" to wait", func() bool { return relay.Taken() > 0 && a.entry.Busy.Load() == 0 })
		select {
		case <-done:
			t.Errorf("%s does not wait", path)
		default:
		}
		cancel()
		<-done
	}
}

package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what has to happen.
const patience = 60 * time.Second

// computeVar tells this test binary that it is a child that computes.
const computeVar = "APP_TEST_COMPUTE"

func TestMain(m *testing.M) {
	if os.Getenv(computeVar) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := RunCompute(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestRoutes(t *testing.T) {
	e := new(page.Entry)
	a := New(Options{Config: Config{Work: units.Duration(time.Millisecond)}, Threads: 1, Entry: e})
	pid := strconv.Itoa(os.Getpid())
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/", "", 200, pid},
		{"GET", "/?a=b", "", 200, pid},
		{"HEAD", "/", "", 200, ""},
		{"POST", "/", "some words", 200, pid},
		{"GET", "/health", "", 200, "ok"},
		{"GET", "/ready", "", 200, "ok"},
		{"GET", "/live", "", 200, "ok"},
		{"GET", "/nowhere", "", 404, "not found"},
	} {
		w := ask(c.method, c.path, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.answer) || w.Header().Get("X-Worker") != pid || w.Header().Get("Connection") != "" {
			t.Errorf("%s %s: %d %q, %v", c.method, c.path, w.Code, w.Body, w.Header())
		}
	}
	if n := e.Served.Load(); n != 4 {
		t.Errorf("%d requests were counted, want the 4 to /", n)
	}
	if n, busy := e.InFlight.Load(), e.Busy.Load(); n != 0 || busy != 0 {
		t.Errorf("%d requests are in flight, %d processors busy", n, busy)
	}

	a.Drain()
	for path, want := range map[string]int{"/": 200, "/health": 503, "/ready": 503, "/live": 200} {
		if w := ask("GET", path, ""); w.Code != want || w.Header().Get("Connection") != "close" {
			t.Errorf("draining, %s: %d, %v", path, w.Code, w.Header())
		}
	}
}

func TestTooLargeABodyIsRefused(t *testing.T) {
	e := new(page.Entry)
	a := New(Options{Threads: 1, Entry: e})
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("POST", "/", io.LimitReader(zeros{}, maxBody+1)))
	if w.Code != http.StatusRequestEntityTooLarge || e.Served.Load() != 0 {
		t.Errorf("status %d, %d counted", w.Code, e.Served.Load())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestWaitEndsWithTheClient(t *testing.T) {
	e := new(page.Entry)
	a := New(Options{Config: Config{Wait: units.Duration(time.Hour)}, Threads: 1, Entry: e})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if n := e.Served.Load(); n != 0 {
		t.Errorf("%d requests of clients that left were counted", n)
	}
}

func TestCrashIsDrawnFromTheSeed(t *testing.T) {
	after := units.Duration(10 * time.Second)
	code := 7
	draw := func(seed uint64, slot, life int) time.Duration {
		a := New(Options{Config: Config{Crash: &Crash{After: after, Code: &code}}, Seed: seed, Slot: slot, Life: life, Threads: 1, Entry: new(page.Entry)})
		d, c, ok := a.Crash()
		if !ok || c != code || d < 0 || d >= after.Std() {
			t.Fatalf("it crashes after %v with %d, %v", d, c, ok)
		}
		return d
	}
	if first, second := draw(1, 2, 3), draw(1, 2, 3); first != second {
		t.Error("the same seed, slot and life crash at different times")
	}
	seen := map[time.Duration]bool{}
	var sum time.Duration
	const lives = 1000
	for life := range lives {
		d := draw(1, 1, life)
		sum += d
		seen[d] = true
	}
	seen[draw(2, 1, 1)], seen[draw(1, 2, 1)] = true, true
	if len(seen) != lives+2 {
		t.Errorf("%d lives crash after %d different times", lives+2, len(seen))
	}
	// The mean of U[0, 10 s] over 1000 lives is 5 s ± 0.09 s: this is ±5 sigma.
	if mean := sum / lives; mean < 4540*time.Millisecond || mean > 5460*time.Millisecond {
		t.Errorf("the mean life is %v", mean)
	}
	if _, _, ok := New(Options{Threads: 1, Entry: new(page.Entry)}).Crash(); ok {
		t.Error("an application without crash crashes")
	}
}

func TestProcessorBounds(t *testing.T) {
	e := new(page.Entry)
	p := NewProcessor(2, &e.Busy)
	for range 2 {
		if err := p.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Acquire(ctx); err == nil || e.Busy.Load() != 2 {
		t.Errorf("a third token: %v, %d in use", err, e.Busy.Load())
	}
	p.Release()
	a, err := p.Arrive(t.Context())
	if err != nil || e.Busy.Load() != 2 {
		t.Fatalf("an arrival: %v, %d in use", err, e.Busy.Load())
	}
	a.End()
	a.End()
	a.Blocked()
	if n := e.Busy.Load(); n != 1 {
		t.Errorf("%d in use after the arrival's end", n)
	}
	p.Release()
}

func TestArrivalPassesItsTokenOnce(t *testing.T) {
	e := new(page.Entry)
	p := NewProcessor(1, &e.Busy)
	for _, c := range []struct {
		name  string
		do    func(*Arrival)
		taken bool
	}{
		{"at once", func(*Arrival) {}, true},
		{"read", (*Arrival).Read, true},
		{"read, then more is waited for", func(a *Arrival) { a.Read(); a.Blocked() }, true},
		{"waited for", (*Arrival).Blocked, false},
		{"ended", (*Arrival).End, false},
	} {
		a, err := p.Arrive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.do(a)
		if got := a.take(); got != c.taken {
			t.Errorf("%s: taken %v, want %v", c.name, got, c.taken)
		} else if got {
			p.Release()
		}
		if n := e.Busy.Load(); n != 0 {
			t.Fatalf("%s: %d in use", c.name, n)
		}
	}
	var none *Arrival
	none.Read()
	none.Blocked()
	none.End()
	if none.take() || none.Unread() {
		t.Error("the nil arrival holds a token")
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

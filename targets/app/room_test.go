package app

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
)

func TestRoomBoundsRequests(t *testing.T) {
	p, err := page.Create(filepath.Join(t.TempDir(), "page"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, entry := p.Add(1, 1, 1, 0)
	a := New(Options{Threads: 4, Entry: entry, MaxInFlight: 1, Wait: 10 * time.Millisecond})
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	arrival, err := a.Arrive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w := get("/"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("without a place: %d, %v", w.Code, w.Header())
	}
	if w := get("/live"); w.Code != http.StatusOK {
		t.Errorf("/live without a place: %d", w.Code)
	}
	full := New(Options{Threads: 4, Entry: entry, MaxInFlight: 1, MaxWaiting: 1, Wait: time.Hour})
	full.room.waiting.Add(1)
	if _, err := full.Arrive(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	full.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("with too many in line: %d", w.Code)
	}
	entry.Busy.Add(-1) // of the arrival that is left there
	arrival.Blocked()  // its client is silent: the place is free
	arrival.End()
	for range 2 {
		if w := get("/"); w.Code != http.StatusOK {
			t.Errorf("with a place: %d", w.Code)
		}
	}
	if n := entry.Busy.Load(); n != 0 {
		t.Errorf("%d processors are in use", n)
	}
}

func TestRoomIsHeldForTheWholeRequest(t *testing.T) {
	p, err := page.Create(filepath.Join(t.TempDir(), "page"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, entry := p.Add(1, 1, 1, 0)
	a := New(Options{Config: Config{Wait: units.Duration(time.Millisecond)}, Threads: 4, Entry: entry, MaxInFlight: 2, Wait: time.Hour})
	done := make(chan int, 20)
	for range cap(done) {
		go func() {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			done <- w.Code
		}()
	}
	for range cap(done) {
		if code := <-done; code != http.StatusOK {
			t.Errorf("status %d", code)
		}
		if n := entry.InFlight.Load(); n > 2 {
			t.Errorf("%d requests are in flight", n)
		}
	}
}

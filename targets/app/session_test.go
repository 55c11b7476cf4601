package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hachaos/hachaos/targets/app/apptest"
)

func TestSessionsInMemoryEndWithTheProcess(t *testing.T) {
	for _, kind := range []string{"memory", "sticky"} {
		a := newTested(t, Config{Sessions: kind}, nil)
		a.want("GET /profile?user=u1", 401, "")
		w := a.want("GET /login?user=u1", 200, "")
		cookies := strings.Join(w.Header().Values("Set-Cookie"), "; ")
		if !strings.Contains(cookies, "session=u1") || strings.Contains(cookies, "worker=1") != (kind == "sticky") {
			t.Errorf("%s: cookies %s", kind, cookies)
		}
		for _, headers := range [][]string{{"Cookie: session=u1"}, {"Authorization: Bearer u1"}} {
			if s := decode[Session](t, a.ask("GET /profile", headers...)); s.User != "u1" || s.Worker != 1 {
				t.Errorf("%s, %v: %+v", kind, headers, s)
			}
		}
		a.want("GET /profile?user=u2", 401, "")
		// The next process of the same worker knows nobody.
		next := newTested(t, Config{Sessions: kind}, nil)
		next.want("GET /profile?user=u1", 401, "")
	}
}

func TestStickyNamesTheOtherWorker(t *testing.T) {
	a := newTested(t, Config{Sessions: "sticky"}, nil)
	w := a.ask("GET /profile?user=u1", "Cookie: worker=3")
	if w.Code != 401 || w.Body.String() != "u1 is logged in with worker \"3\", and this is worker 1\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Requests that name nobody are from any one of ten users.
func TestUsersOfRequestsThatNameNone(t *testing.T) {
	a := newTested(t, Config{}, nil)
	seen := map[string]bool{}
	for range 1000 {
		seen[decode[Session](t, a.ask("POST /login")).User] = true
	}
	if len(seen) != someUsers {
		t.Errorf("%d users logged in", len(seen))
	}
}

func TestSessionsInRedis(t *testing.T) {
	for _, kind := range []string{"embedded", "real"} {
		t.Run(kind, func(t *testing.T) {
			var address string
			if kind == "real" {
				address, _ = apptest.Redis(t)
			} else {
				address = miniredis.RunT(t).Addr()
			}
			relay := apptest.NewRelay(t, address)
			e := env{"REDIS_URL": "redis://" + relay.Address}
			first, second := newTested(t, Config{Sessions: "redis"}, e), newTested(t, Config{Sessions: "redis"}, e)
			first.want("GET /profile?user=u1", 401, "")
			first.want("GET /login?user=u1", 200, "")
			second.want("GET /profile?user=u1", 200, "")
			relay.Cut()
			first.want("GET /profile?user=u1", 502, "")
			first.want("GET /login?user=u1", 502, "")
			relay.Mend()
			first.awaitStatus("GET /profile?user=u1", 200)
		})
	}
}

func TestFallbackOfReads(t *testing.T) {
	relay := apptest.NewRelay(t, miniredis.RunT(t).Addr())
	e := env{"REDIS_URL": "redis://" + relay.Address}
	stale := newTested(t, Config{Sessions: "redis", Fallback: "stale"}, e)
	fixed := newTested(t, Config{Sessions: "redis", Fallback: "default"}, e)
	for _, a := range []*tested{stale, fixed} {
		a.want("GET /login?user=u1", 200, "")
		a.want("GET /profile?user=u1", 200, "")
		a.want("GET /login?user=u5", 200, "") // its answer is as good as a profile
	}
	relay.Cut()
	if s := decode[Session](t, stale.want("GET /profile?user=u1", 200, "stale")); s.User != "u1" {
		t.Errorf("stale: %+v", s)
	}
	stale.want("GET /profile?user=u2", 502, "") // never seen
	stale.want("GET /login?user=u1", 502, "")   // no read
	stale.want("GET /profile?user=u5", 200, "stale")
	if s := decode[Session](t, fixed.want("GET /profile?user=u1", 200, "default")); s.User != "guest" {
		t.Errorf("default: %+v", s)
	}
	relay.Mend()
	for _, a := range []*tested{stale, fixed} {
		a.awaitStatus("GET /login?user=u2", 200)
		a.want("GET /profile?user=u1", 200, "")
		a.want("GET /profile?user=u3", 401, "") // an answer, not a failure
	}
}

func TestBreakerOfRedisTellsTheReport(t *testing.T) {
	relay := apptest.NewRelay(t, miniredis.RunT(t).Addr())
	e := env{"REDIS_URL": "redis://" + relay.Address}
	with := newTested(t, Config{Sessions: "redis", Breaker: soon()}, e)
	without := newTested(t, Config{Sessions: "redis"}, e)
	for _, a := range []*tested{with, without} {
		a.want("GET /login?user=u1", 200, "")
	}
	relay.Cut()
	for range 3 {
		with.want("GET /profile?user=u1", 502, "")
	}
	with.awaitEvents("redis: worker 1: breaker opens after 3 failures in a row: ")
	with.awaitStatus("GET /profile?user=u1", http.StatusServiceUnavailable)
	relay.Mend()
	with.awaitStatus("GET /profile?user=u1", 200)
	with.awaitEvents("redis: worker 1: breaker opens", "redis: worker 1: breaker is half-open", "redis: worker 1: breaker closes")
	without.awaitStatus("GET /profile?user=u1", 200)
	if got := without.heard(); len(got) > 0 {
		t.Errorf("without a breaker: %q", got)
	}
}

func TestTimeoutOfASilentServer(t *testing.T) {
	relay := apptest.NewRelay(t, miniredis.RunT(t).Addr())
	e := env{"REDIS_URL": "redis://" + relay.Address}
	with := newTested(t, Config{Sessions: "redis", DependencyTimeout: millis(20)}, e)
	without := newTested(t, Config{Sessions: "redis"}, e)
	for _, a := range []*tested{with, without} {
		a.awaitStatus("GET /login?user=u1", 200)
	}
	relay.Mute()
	with.awaitStatus("GET /profile?user=u1", http.StatusGatewayTimeout)
	done := make(chan struct{})
	go func() {
		defer close(done)
		without.ask("GET /profile?user=u1")
	}()
	select {
	case <-done:
		t.Error("without a timeout it has an answer")
	case <-time.After(200 * time.Millisecond): // ten of the other's timeouts
	}
	relay.Cut()
	<-done
}

package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hachaos/hachaos/targets/app/apptest"
	"github.com/hachaos/hachaos/targets/app/protect"
	"github.com/hachaos/hachaos/targets/app/store"
)

// bank takes each payment once, unless it is down.
type bank struct {
	*httptest.Server
	down  atomic.Bool
	mu    sync.Mutex
	taken map[string]int
}

func newBank(t *testing.T) *bank {
	b := &bank{taken: map[string]int{}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if r.Method == http.MethodPost {
			b.taken[r.Header.Get("Idempotency-Key")]++
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func TestPaymentsAreQueuedWhileTheBreakerIsOpen(t *testing.T) {
	b := newBank(t)
	a := newTested(t, Config{Breaker: soon()}, env{"PAYMENTS_URL": b.URL})
	a.want("POST /payments", 201, "")
	b.down.Store(true)
	for range 2 {
		a.want("POST /payments", 502, "")
	}
	// The third failure opens the breaker. Those that it lets through later, to try
	// again, fail and are queued like the others.
	paid := map[string]bool{}
	for range 20 {
		w := a.want("POST /payments", 202, "queued")
		paid[decode[map[string]string](t, w)["id"]] = true
		time.Sleep(5 * time.Millisecond) // for some to be let through
	}
	b.down.Store(false)
	apptest.Await(t, "the payments to be delivered", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for id := range paid {
			if b.taken[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, n := range b.taken {
		if n != 1 {
			t.Errorf("%s was paid %d times", id, n)
		}
	}
	a.awaitEvents("payments: worker 1: breaker opens", "payments: worker 1: payments are queued",
		"payments: worker 1: breaker closes", fmt.Sprintf("payments: worker 1: the queue is empty: %d payments", len(paid)))
	if got := decode[map[string]int64](t, a.ask("GET /payments")); got["queued"] != 0 || got["delivered_late"] != int64(len(paid)) {
		t.Errorf("the queue is %v", got)
	}
	a.awaitStatus("POST /payments", 201)
}

func TestPaymentsWithoutBreakerFail(t *testing.T) {
	b := newBank(t)
	b.down.Store(true)
	a := newTested(t, Config{}, env{"PAY_URL": b.URL})
	for range 10 {
		a.want("POST /payments", 502, "")
	}
	if got := decode[map[string]int64](t, a.ask("GET /payments")); got["queued"] != 0 {
		t.Errorf("the queue is %v", got)
	}
}

func TestRetryHidesFailures(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1)%3 != 0 { // two of three fail
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	a := newTested(t, Config{Retry: &protect.Retry{Attempts: 3, Base: millis(1)}}, env{"PAYMENTS_URL": server.URL})
	for range 5 {
		a.want("POST /payments", 201, "")
	}
	if got := calls.Load(); got != 15 {
		t.Errorf("%d calls", got)
	}
}

func TestRefusedPaymentsAreNoFailures(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	a := newTested(t, Config{Breaker: soon(), Retry: &protect.Retry{}}, env{"PAYMENTS_URL": server.URL})
	for range 10 {
		a.want("POST /payments", http.StatusPaymentRequired, "")
	}
	if got := a.heard(); len(got) > 0 {
		t.Errorf("heard %q", got)
	}
}

var errDown = errors.New("down")

func TestQueueDeliversInOrderAndTellsWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		var paid, told []string
		q := newQueue(func(_ context.Context, p store.Payment) error {
			if down.Load() {
				return errDown
			}
			if paid = append(paid, p.ID); p.ID == "2" {
				return store.RefusedError{Status: 402}
			}
			return nil
		}, func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) })
		add := func(from, n int) {
			for i := range n {
				if !q.add(store.Payment{ID: fmt.Sprint(from + i)}) {
					t.Fatal("there is no room")
				}
			}
		}
		add(0, 5)
		time.Sleep(time.Hour)
		if len(paid) > 0 || q.count()["queued"] != 5 {
			t.Errorf("while it is down: %v, %v", paid, q.count())
		}
		down.Store(false)
		time.Sleep(deliverEvery)
		synctest.Wait()
		if fmt.Sprint(paid) != "[0 1 2 3 4]" || q.count()["delivered_late"] != 4 || q.count()["refused_late"] != 1 {
			t.Errorf("after that: %v, %v", paid, q.count())
		}
		down.Store(true)
		add(5, maxQueued)
		if q.add(store.Payment{}) {
			t.Error("it takes more than it may")
		}
		q.close(t.Context())
		if q.add(store.Payment{}) {
			t.Error("it takes one after its end")
		}
		want := []string{"payments are queued", "the queue is empty: 5 payments delivered late", "payments are queued", "10000 queued payments are lost with the process"}
		if fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("told was %q", told)
		}
	})
}

func TestQueueIsDeliveredAtTheEnd(t *testing.T) {
	b := newBank(t)
	b.down.Store(true)
	c := Config{Breaker: soon()}
	c.Breaker.Failures = 1
	a := newTested(t, c, env{"PAYMENTS_URL": b.URL})
	a.want("POST /payments", 202, "queued") // it opens the breaker
	b.down.Store(false)
	apptest.Await(t, "the breaker to let one through", func() bool {
		return a.ask("POST /payments").Code == 201
	})
	a.end()
	if got := a.queue.count(); got["queued"] != 0 {
		t.Errorf("the queue is %v", got)
	}
}

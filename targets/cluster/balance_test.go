//go:build unix

package cluster

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/cluster/balance"
	"github.com/hachaos/hachaos/targets/page"
)

// Each algorithm before a worker that keeps what it gets, with twice the weight
// of the other three: its share shows by what it was chosen, and is the same on
// every machine.
func TestProxyBalances(t *testing.T) {
	const n = 200
	for algorithm, want := range map[string]struct{ least, most int }{
		"round-robin":          {n / 4, n / 4},         // in turn, whatever its weight
		"weighted-round-robin": {n * 2 / 5, n * 2 / 5}, // in turn by weight
		"random":               {n * 3 / 10, n / 2},    // by weight: 80 ± 7, and the seed is the same
		"least-connections":    {1, n / 20},            // it has more open than the others
		"random-two":           {1, n / 20},            // two are drawn, and it has more to do
		"least-response-time":  {1, n / 20},            // what it has would have to be waited for
	} {
		if got := heldOf(t, algorithm, 2, []int{1, 2, 1, 1}, n); got < want.least || got > want.most {
			t.Errorf("%s gives a stuck worker %d of %d, want %d to %d", algorithm, got, n, want.least, want.most)
		}
	}
	all := 0
	for slot := range 4 {
		switch got := heldOf(t, "ip-hash", slot+1, nil, 20); got {
		case 0:
		case 20:
			all++
		default:
			t.Errorf("ip-hash gives worker %d %d of one client's 20 requests", slot+1, got)
		}
	}
	if all != 1 {
		t.Errorf("ip-hash gives the client to %d workers", all)
	}
	if known := balance.Algorithms(); len(known) != 7 {
		t.Errorf("there are %v: is each looked at here?", known)
	}
}

// heldOf sends n requests one after another, without waiting for those that reach
// the stuck worker, and counts them.
func heldOf(t *testing.T, algorithm string, stuck int, weights []int, n int) int {
	t.Helper()
	release, arrived := make(chan struct{}), make(chan struct{})
	workers := []http.HandlerFunc{name("fast"), name("fast"), name("fast"), name("fast")}
	workers[stuck-1] = func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		fmt.Fprint(w, "stuck")
	}
	f := newFront(t, Config{Workers: 4, Balance: algorithm, Weights: weights}, workers...)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer close(release)
	held := 0
	for range n {
		answered := make(chan struct{})
		asked.Go(func() {
			defer close(answered)
			f.ask("GET", "")
		})
		select {
		case <-arrived:
			held++
		case <-answered:
		}
	}
	return held
}

// A worker that was slow once, and was sent nothing since, is tried again.
func TestSlowWorkerIsTriedAgain(t *testing.T) {
	conf := Config{Dispatch: "proxy", Workers: 2, Balance: "least-response-time"}
	conf.SetDefaults()
	p, err := newPool(conf, page.NewDesk(), 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	p.join(&member{slot: 1, entry: new(page.Entry)})
	p.join(&member{slot: 2, entry: new(page.Entry)})
	now := time.Duration(clock.Now())
	slow, fast := &p.upstreams[0].latency, &p.upstreams[1].latency
	slow.Add(now, 100*time.Millisecond)
	fast.Add(now, 2*time.Millisecond)
	if u, err := p.pick("", 0, nil, nil); err != nil || u.member.slot != 2 {
		t.Fatalf("worker %+v, %v: want the faster one", u, err)
	} else {
		u.inFlight--
	}
	*slow = balance.EWMA{}
	slow.Add(now-time.Minute, 100*time.Millisecond)
	if u, err := p.pick("", 0, nil, nil); err != nil || u.member.slot != 1 {
		t.Errorf("worker %+v, %v: want the one that was slow a minute ago", u, err)
	}
}

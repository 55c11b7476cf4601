//go:build unix

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// shares counts whose answers n requests get, one after the other.
func (f *front) shares(n int) map[string]int {
	f.t.Helper()
	all := map[string]int{}
	for range n {
		_, answer := f.ask("GET", "")
		all[answer]++
	}
	return all
}

func TestProxyStartsNewWorkersSlowly(t *testing.T) {
	f := newFront(t, Config{Balance: "weighted-round-robin", SlowStart: units.Duration(time.Hour)}, name("old"), name("new"))
	long := clock.Now().Add(-2 * time.Hour)
	age := func(slot int) {
		f.pool.mu.Lock()
		defer f.pool.mu.Unlock()
		f.pool.upstreams[slot-1].since = long
	}
	age(1)
	if got := f.shares(22); got["new"] < 1 || got["new"] > 3 {
		t.Errorf("of 22 requests a new worker is to get 2: %v", got)
	}
	age(2)
	if got := f.shares(20); got["new"] < 9 || got["new"] > 11 {
		t.Errorf("of 20 requests it is to get half once it has started: %v", got)
	}
}

// A worker that is slow has few requests where they are given to who has fewest.
func TestProxySparesASlowWorker(t *testing.T) {
	release, held := make(chan struct{}), make(chan struct{}, 100)
	f := newFront(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		held <- struct{}{}
		<-release
		fmt.Fprint(w, "slow")
	}, name("b"), name("c"))
	var first sync.WaitGroup
	defer first.Wait()
	defer close(release)
	for len(held) == 0 { // each request that another one answers comes back
		back := make(chan struct{})
		first.Go(func() {
			defer close(back)
			f.ask("GET", "")
		})
		if !eventually(func() bool {
			select {
			case <-back:
				return true
			default:
				return len(held) > 0
			}
		}) {
			t.Fatal("nobody answers")
		}
	}
	if got := f.shares(30); got["slow"] != 0 || got["b"] == 0 || got["c"] == 0 {
		t.Errorf("beside a slow worker: %v", got)
	}
}

// end reads all that comes until the other side ends the connection.
func end(t *testing.T, r io.Reader) string {
	t.Helper()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("after %q: %v", all, err)
	}
	return string(all)
}

func TestProxyEndsWhatIsIdle(t *testing.T) {
	short := units.Duration(50 * time.Millisecond)
	upgrade := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // and says nothing
	}
	for what, c := range map[string]struct {
		timeouts Timeouts
		worker   http.HandlerFunc
		header   string
		status   int
	}{
		"a tunnel":          {Timeouts{Tunnel: short}, upgrade, "Connection: Upgrade\r\nUpgrade: x\r\n", 101},
		"a kept connection": {Timeouts{KeepAlive: short}, name("served"), "", 200},
	} {
		f := newFront(t, Config{Timeouts: c.timeouts}, c.worker)
		conn, err := net.Dial("tcp", f.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: test\r\n%s\r\n", c.header)
		r := bufio.NewReader(conn)
		a, err := http.ReadResponse(r, nil)
		if err != nil || a.StatusCode != c.status {
			t.Errorf("%s: %+v, %v", what, a, err)
			continue
		}
		if c.status == 200 {
			end(t, a.Body)
		}
		if rest := end(t, r); rest != "" { // it ends before the test's patience does
			t.Errorf("%s: at its end %q comes", what, rest)
		}
	}
}

func TestProgramsAreToldByOtherNames(t *testing.T) {
	t.Parallel()
	conf := node(t, 2, "proxy")
	conf.InstanceVar, conf.PortVar = "SLOT", "LISTEN_AT"
	conf.Exec = []string{"node", "-e", `const e = process.env
require('http').createServer((q, s) => s.end([e.SLOT, e.INSTANCE_ID, e.PORT].join())).listen(e.LISTEN_AT, '127.0.0.1')`}
	f := start(t, masterOptions{Config: conf})
	seen := map[string]bool{}
	c := clientOver(t, &http.Transport{DisableKeepAlives: true})
	if !eventually(func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, body := answerTo(t, c, get(t, "http://"+f.address+"/").WithContext(ctx))
		if !strings.HasSuffix(body, ",,") {
			t.Fatalf("a worker is told %q", body)
		}
		seen[body] = true
		return seen["1,,"] && seen["2,,"]
	}) {
		t.Errorf("the workers are told %v", seen)
	}
}

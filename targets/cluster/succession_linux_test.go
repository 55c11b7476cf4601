package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

// holds are requests that are not answered.
type holds []net.Conn

// hold sends n requests that are not answered, and waits until the cluster works
// on so many.
func (f *fixture) hold(h *holds, n int) {
	f.t.Helper()
	for range n {
		conn := f.dial()
		f.t.Cleanup(func() { conn.Close() })
		if _, err := fmt.Fprint(conn, "GET /hold HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
			f.t.Fatal(err)
		}
		*h = append(*h, conn)
	}
	f.awaitInFlight(h)
}

// awaitInFlight waits until the workers have the requests in flight whose
// clients are not told otherwise.
func (f *fixture) awaitInFlight(h *holds) {
	f.t.Helper()
	n := 0
	f.await("the requests in flight", func(s Status) bool {
		*h = slices.DeleteFunc(*h, ended)
		n = 0
		for _, w := range s.Workers {
			n += int(w.InFlight)
		}
		return n == len(*h)
	})
	f.t.Logf("%d requests are in flight", n)
}

// release lets the clients go.
func (f *fixture) release(h *holds) {
	f.t.Helper()
	for _, conn := range *h {
		conn.Close()
	}
	*h = nil
	f.awaitInFlight(h)
}

// replaced reloads, for which nobody has to wait.
func (f *fixture) replaced() {
	f.t.Helper()
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Reload(ctx); err != nil {
		f.t.Error(err)
	}
}

// upgrade lets another process of this program be master.
func (f *fixture) upgrade() {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Upgrade(ctx, self); err != nil {
		f.t.Fatal(err)
	}
}

// kill kills a master.
func (f *fixture) kill(pid int) {
	f.t.Helper()
	f.signal(proc.ID{PID: pid, Started: started(f.t, pid)}, "SIGKILL")
}

// What a master was waiting for when it was killed nobody waits for.
func TestRequestsInFlightEndWithTheirMaster(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: program(t, 2, "passive")})
	masters := []int{f.process.PID()}
	for n := range 3 {
		f.awaitStandby(n + 1)
		var h holds
		f.hold(&h, 3)
		f.kill(masters[n])
		masters = append(masters, f.awaitMaster(2, masters...).PID)
		f.awaitInFlight(&h)
		if len(h) != 0 {
			t.Errorf("%d requests outlived their master", len(h))
		}
	}
	f.replaced()
	f.end()
}

// Of two masters that accept side by side each counts what it has.
func TestRequestsInFlightOfTwoMasters(t *testing.T) {
	for _, dies := range []string{"the master", "the standby"} {
		t.Run(dies, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: program(t, 2, "active")})
			f.awaitStandby(1)
			standby := f.standby()
			var h holds
			f.freeze(standby)
			f.hold(&h, 3) // by the master
			f.signal(standby, "SIGCONT")
			if dies == "the master" {
				f.freeze(f.process.ID()) // it is killed for that
				for range 2 {
					conn := f.dial()
					defer conn.Close()
					if _, err := fmt.Fprint(conn, "GET /hold HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
						t.Fatal(err)
					}
					h = append(h, conn)
				}
				f.awaitMaster(2, f.process.PID())
				f.awaitInFlight(&h)
				if len(h) != 2 {
					t.Errorf("%d requests outlived the master", len(h))
				}
			} else {
				f.hold(&h, 16) // by either
				f.signal(standby, "SIGKILL")
				f.awaitStandby(2)
				f.awaitInFlight(&h)
				if len(h) < 3 {
					t.Errorf("%d requests outlived the standby", len(h))
				}
			}
			f.release(&h)
			f.replaced()
			f.end()
		})
	}
}

// A master that has handed the cluster over counts what it owes, as long as it
// lives.
func TestRequestsInFlightInAnUpgrade(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: program(t, 2, "none")})
	var h holds
	f.hold(&h, 3)
	first := f.process.PID()
	f.upgrade()
	second := f.awaitMaster(2, first).PID
	f.freeze(f.process.ID()) // it may still accept what came before
	f.hold(&h, 2)
	if len(h) != 5 {
		t.Errorf("after the upgrade %d requests are in flight", len(h))
	}
	f.kill(first)
	<-f.process.Done()
	f.awaitInFlight(&h)
	if len(h) != 2 {
		t.Errorf("%d requests outlived the first master", len(h))
	}
	f.upgrade()
	f.awaitMaster(2, first, second)
	f.awaitInFlight(&h)
	if len(h) != 2 {
		t.Errorf("after the second upgrade %d requests are in flight", len(h))
	}
	f.release(&h)
	f.replaced()
	f.end()
}

// Who stops a master that has handed the cluster over stops the cluster.
func TestStopOfAMasterThatOwes(t *testing.T) {
	for _, name := range []string{"SIGTERM", "SIGINT"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: program(t, 1, "none")})
			var h holds
			f.hold(&h, 1) // it owes an answer as long as the test wants
			f.upgrade()
			f.awaitMaster(1, f.process.PID())
			f.signal(f.process.ID(), name)
			f.await("the stop", func(s Status) bool { return s.Stopping })
			h[0].Close()
			f.awaitNoProcess()
			if x := f.process.Exit(); x.Failed() {
				t.Errorf("the old master %s", x)
			}
			if _, err := os.Stat(f.Dir); !os.IsNotExist(err) {
				t.Errorf("the control directory is left: %v", err)
			}
		})
	}
}

// Clients keep connections to a master that has handed the cluster over, for a
// moment, in which the next one may replace all workers.
func TestMasterThatOwesKnowsNewWorkers(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: program(t, 2, "none")})
	ctx, cancel := timeout()
	defer cancel()
	var clients []*caller
	ask := func(c *caller) {
		t.Helper()
		if _, status, err := c.get(ctx, "/"); err != nil || status != 200 {
			t.Errorf("status %d, %v", status, err)
		}
	}
	for range 4 {
		c := &caller{address: f.address, keepalive: true}
		defer c.hangUp()
		ask(c)
		clients = append(clients, c)
	}
	f.upgrade()
	f.awaitMaster(2, f.process.PID())
	if err := f.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients { // a connection that has ended by now is not used again
		ask(c)
	}
	f.end()
}

// A proxy that has handed the cluster over keeps who has connected and said nothing
// yet, as long as it does otherwise.
func TestUpgradeKeepsWhoIsSilent(t *testing.T) {
	t.Parallel()
	conf := config(1, "proxy", 0)
	conf.Timeouts.Header = units.Duration(patience)
	f := start(t, masterOptions{Config: conf})
	silent := f.dial()
	defer silent.Close()
	if !eventually(func() bool { return f.scrape("http://" + f.status().Admin + "/metrics")["active_connections"] == 1 }) {
		t.Fatal("it has no connection")
	}
	f.upgrade()
	if !eventually(func() bool { return answersAll("http://"+f.status().Admin+"/health", 50) }) {
		t.Error("who asks for /health still finds the master that was")
	}
	// A server of net/http that is shut down takes one that is silent for 5 s for
	// idle.
	_ = silent.SetReadDeadline(time.Now().Add(8 * time.Second))
	if n, err := silent.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent client: %v", err)
	}
	_ = silent.SetReadDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprint(silent, "GET /health HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Error(err)
	}
	if a, err := http.ReadResponse(bufio.NewReader(silent), nil); err != nil || a.StatusCode != http.StatusOK {
		t.Errorf("a client that was silent so far: %+v, %v", a, err)
	}
	<-f.process.Done()
	f.end()
}

// answersAll tells whether so many requests in a row are answered well.
func answersAll(url string, requests int) bool {
	for range requests {
		a, err := http.Get(url)
		if err != nil {
			return false
		}
		a.Body.Close()
		if a.StatusCode != http.StatusOK {
			return false
		}
	}
	return true
}

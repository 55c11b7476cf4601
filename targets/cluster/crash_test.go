//go:build unix

package cluster

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/proc"
)

func config(workers int, dispatch string, work time.Duration) Config {
	// A slow machine must not look like workers that never become ready.
	long := units.Duration(patience)
	c := Config{
		Workers: Workers(workers), Dispatch: dispatch, App: app.Config{Work: units.Duration(work)}, ReadyTimeout: long, KillTimeout: long,
	}
	if dispatch == "proxy" {
		c.Timeouts = Timeouts{Connect: long, Answer: long} // nor like one that does not answer
	}
	return c
}

var dispatches = []string{"handoff", "shared", "reuseport", "proxy"}

func TestKillLosesWhatRunsAndNoMore(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(2, dispatch, 50*time.Millisecond)})
			const kills, requests = 3, 14
			ok, lost := 0, 0
			for range kills {
				ctx, cancel := timeout()
				defer cancel()
				answers := f.burst(ctx, requests)
				f.await("both workers to work", func(s Status) bool {
					return s.Workers[0].InFlight > 0 && s.Workers[1].InFlight > 0
				})
				f.signal(f.id(1), "SIGKILL")
				for range requests {
					switch a := <-answers; {
					case a.err == nil && a.status == http.StatusOK:
						ok++
					case ctx.Err() != nil:
						t.Fatal("a request hangs")
					default:
						lost++
					}
				}
				f.await("the replacement", func(s Status) bool { return s.Ready == 2 })
			}
			if lost > kills || dispatch == "proxy" && lost > 0 {
				t.Errorf("%d kills lost %d requests", kills, lost)
			}
			// A request that was counted can still have been lost on its way out.
			if n := f.counted(); n < int64(ok) || n > int64(ok+kills) {
				t.Errorf("the workers count %d requests, the clients %d good ones", n, ok)
			}
		})
	}
}

func TestCountsOutliveTheirProcess(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(3, "handoff", 0)})
	l := f.load(8, false)
	if !l.after(200) {
		t.Fatal("no load")
	}
	for slot := 1; slot <= 3; slot++ {
		f.signal(f.id(slot), "SIGKILL")
		if !l.after(100) {
			t.Fatal("the load stands still")
		}
	}
	l.end()
	if n, good, lost := f.counted(), l.good.Load(), l.lost.Load(); n < good || n > good+lost {
		t.Errorf("the workers count %d requests, the clients %d good and %d lost ones", n, good, lost)
	}
	s := f.await("three replacements", func(s Status) bool { return len(s.Processes) == 6 })
	for i, p := range s.Processes {
		if dead := i < 3; dead != (p.Ended != 0) || dead && p.Requests == 0 {
			t.Errorf("process %d is remembered as %+v", i, p)
		}
	}
	for pid, n := range l.pids {
		for _, p := range s.Processes {
			if p.PID == pid && p.Requests < int64(n) {
				t.Errorf("process %d counts %d requests, clients had %d answers from it", pid, p.Requests, n)
			}
		}
	}
}

func TestFrozenWorkerDelaysOnlyWhatItWorksOn(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(2, "handoff", 50*time.Millisecond)})
	ctx, cancel := timeout()
	defer cancel()
	const requests = 12
	answers := f.burst(ctx, requests)
	f.await("both workers to work", func(s Status) bool {
		return s.Workers[0].InFlight > 0 && s.Workers[1].InFlight > 0
	})
	frozen := f.id(1)
	f.freeze(frozen)
	// All are answered meanwhile but the one that it works on, if it has not
	// just finished: what waited for it goes to the other worker.
	for range requests - 1 {
		if a := <-answers; a.err != nil || a.status != http.StatusOK {
			t.Fatalf("with a frozen worker: %+v", a)
		}
	}
	f.signal(frozen, "SIGCONT")
	if a := <-answers; a.err != nil || a.status != http.StatusOK {
		t.Fatalf("after the thaw: %+v", a)
	}
	// The thawed one takes part again.
	if !eventually(func() bool {
		a := <-f.burst(ctx, 1)
		return a.pid == frozen.PID
	}) {
		t.Error("the thawed worker got nothing any more")
	}
	if n := f.counted(); n < requests {
		t.Errorf("the workers count %d requests, want at least %d", n, requests)
	}
}

func TestIdleFrozenWorkerIsPassedOver(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(2, "handoff", 0)})
	ctx, cancel := timeout()
	defer cancel()
	frozen := f.id(1)
	f.freeze(frozen)
	for range 20 {
		if a := <-f.burst(ctx, 1); a.err != nil || a.pid == frozen.PID {
			t.Fatalf("with an idle worker frozen: %+v", a)
		}
	}
	f.signal(frozen, "SIGCONT")
	if !eventually(func() bool { return (<-f.burst(ctx, 1)).pid == frozen.PID }) {
		t.Error("the thawed worker got nothing any more")
	}
}

func TestOneUnansweredClientBlocksNobody(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(1, dispatch, time.Millisecond)})
			for i := range 40 {
				conn := f.dial()
				defer conn.Close()
				if i%2 == 0 { // the others say nothing at all
					if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHo")); err != nil {
						t.Fatal(err)
					}
				}
			}
			ctx, cancel := timeout()
			defer cancel()
			for range 20 {
				if a := <-f.burst(ctx, 1); a.err != nil || a.status != http.StatusOK {
					t.Fatalf("beside silent clients: %+v", a)
				}
			}
		})
	}
}

func TestManyThatWaitDoNotQueue(t *testing.T) {
	t.Parallel()
	c := config(2, "handoff", 0)
	c.App.Wait = units.Duration(patience)
	c.KillTimeout = units.Duration(time.Second)
	f := start(t, masterOptions{Config: c})
	ctx, cancel := context.WithCancel(context.Background())
	const requests = 400
	answers := f.burst(ctx, requests)
	f.await("all requests to be in flight", func(s Status) bool {
		return s.Workers[0].InFlight+s.Workers[1].InFlight == requests && s.Queued == 0
	})
	cancel()
	for range requests {
		<-answers
	}
}

func TestWorkersAreReplaced(t *testing.T) {
	for _, c := range []struct {
		when     string
		code     int
		replaced bool
	}{
		{"on-failure", 1, true},
		{"on-failure", 0, false},
		{"always", 0, true},
		{"never", 1, false},
	} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			conf := config(2, "handoff", 0)
			conf.Restart.When = c.when
			f := start(t, masterOptions{Config: conf})
			before := f.status().pids()
			ctx, cancel := timeout()
			defer cancel()
			if err := f.Exit(ctx, 2, c.code); err != nil {
				t.Fatal(err)
			}
			s := f.await("the end and what follows", func(s Status) bool {
				w := s.Workers[1]
				return c.replaced && w.Ready && w.PID != before[1] || !c.replaced && w.State == Ended
			})
			if w := s.Workers[1]; c.replaced != (w.Restarts == 1) {
				t.Errorf("worker 2 had %d restarts", w.Restarts)
			}
			if s.Workers[0].PID != before[0] {
				t.Error("the other worker was replaced too")
			}
			if a := <-f.burst(ctx, 1); a.err != nil {
				t.Errorf("the cluster does not serve: %v", a.err)
			}
		})
	}
}

func TestClusterEndsWithItsLastWorker(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.Restart.When = "never"
	f := start(t, masterOptions{Config: conf})
	f.signal(f.id(1), "SIGKILL")
	f.await("one worker to be left", func(s Status) bool { return s.Ready == 1 })
	f.signal(f.id(2), "SIGKILL")
	<-f.process.Done()
	if x := f.process.Exit(); x.Code != 1 {
		t.Errorf("the master %s", x)
	}
	if !f.refused() {
		t.Error("somebody still listens")
	}
	if log := proc.Tail(f.log, 1); log != "master: no worker is left, and none is replaced (restart: never)" {
		t.Errorf("the master's last words are %q", log)
	}
}

func TestCrashLoopBacksOff(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.Restart.Backoff = units.Duration(time.Millisecond)
	conf.Restart.MaxBackoff = units.Duration(10 * time.Millisecond)
	conf.Restart.MinUptime = units.Duration(time.Hour)
	f := start(t, masterOptions{Config: conf})
	f.mood("crash")
	f.signal(f.id(1), "SIGKILL")
	f.await("some restarts", func(s Status) bool { return s.Workers[0].Restarts >= 4 })
	ctx, cancel := timeout()
	defer cancel()
	if a := <-f.burst(ctx, 1); a.err != nil || a.pid != f.id(2).PID {
		t.Errorf("beside a crash loop: %+v", a)
	}
	f.mood("")
	f.await("the end of the loop", func(s Status) bool { return s.Ready == 2 })
}

func TestApplicationCrashesByItself(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	seven := 7
	conf.App.Crash = &app.Crash{After: units.Duration(20 * time.Millisecond), Code: &seven}
	conf.Restart.Backoff = units.Duration(time.Millisecond)
	f := launch(t, masterOptions{Config: conf, Seed: 1})
	var seen []Change
	ctx, cancel := timeout()
	defer cancel()
	err := f.Watch(ctx, func(c Change) error {
		if c.State == Ended {
			seen = append(seen, c)
		}
		if len(seen) == 4 {
			return errEnough
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range seen {
		want := "worker " + string(rune('0'+c.Slot)) + " (pid "
		if c.PID == 0 || c.At == 0 || len(c.What) < len(want) || c.What[:len(want)] != want || c.What[len(c.What)-len("ended with exit status 7"):] != "ended with exit status 7" {
			t.Errorf("watched %+v", c)
		}
	}
}

// Clients that keep their connections must not starve those that come anew: both
// get their share, whatever the poller of a computing worker makes of it.
func TestKeptConnectionsDoNotStarveNewOnes(t *testing.T) {
	f := start(t, masterOptions{Config: config(2, "handoff", 2*time.Millisecond)})
	kept := f.load(30, true)
	if !kept.after(100) {
		t.Fatal("no load")
	}
	fresh := f.load(10, false)
	before := kept.good.Load()
	if !fresh.after(300) {
		t.Fatalf("%d new connections were answered, and %d requests on kept ones meanwhile", fresh.good.Load(), kept.good.Load()-before)
	}
	during := kept.good.Load() - before
	fresh.end()
	kept.end()
	if during > 300*10 {
		t.Errorf("300 new connections were answered, and %d requests on kept ones meanwhile", during)
	}
}

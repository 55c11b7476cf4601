//go:build unix

package cluster

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

func TestCrashLoopEndsInErrored(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.Restart = Restart{Backoff: 1, MaxBackoff: units.Duration(time.Millisecond), Max: 3, MinUptime: units.Duration(patience)}
	f := start(t, masterOptions{Config: conf})
	f.mood("crash")
	f.signal(f.id(1), "SIGKILL")
	s := f.await("an errored slot", func(s Status) bool { return s.Workers[0].State == Errored })
	if s.Workers[0].Restarts != 3 || s.Workers[0].PID != 0 || s.Ready != 1 {
		t.Errorf("with an errored slot the status is %+v", s)
	}
	ctx, cancel := timeout()
	defer cancel()
	for range 5 {
		if a := <-f.burst(ctx, 1); a.err != nil || a.pid != s.Workers[1].PID {
			t.Errorf("beside an errored slot: %+v", a)
		}
	}
	f.mood("")
	if err := f.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	if s := f.status(); s.Ready != 2 || s.Workers[0].State != Serving {
		t.Errorf("after a reload the status is %+v", s)
	}
}

func TestClusterEndsWhenAllAreErrored(t *testing.T) {
	t.Parallel()
	conf := config(1, "handoff", 0)
	conf.Restart = Restart{Backoff: 1, MaxBackoff: 1, Max: 2, MinUptime: units.Duration(patience)}
	f := start(t, masterOptions{Config: conf})
	f.mood("crash")
	f.signal(f.id(1), "SIGKILL")
	<-f.process.Done()
	log, err := os.ReadFile(f.log)
	if err != nil {
		t.Fatal(err)
	}
	if x := f.process.Exit(); x.Code != 1 || !strings.Contains(string(log), "all are errored, with more than 2 short lives") {
		t.Errorf("the master %s", x)
	}
}

func TestWorkersThatNeverGetReadyAreErrored(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.Restart = Restart{Backoff: 1, MaxBackoff: 1, Max: 1, MinUptime: 1}
	conf.ReadyTimeout = units.Duration(10 * time.Second)
	f := start(t, masterOptions{Config: conf})
	f.mood("hang")
	f.signal(f.id(2), "SIGKILL")
	f.await("an errored slot", func(s Status) bool { return s.Workers[1].State == Errored && s.Ready == 1 })
}

func TestTooMuchMemoryIsReplacedGracefully(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(1, dispatch, 0)
			conf.App.Leak = 8 << 20
			conf.Restart.MaxMemory = 400 << 20
			f := start(t, masterOptions{Config: conf})
			fat := f.id(1).PID
			l := f.load(1, false)
			s := f.await("a replacement", func(s Status) bool { return s.Workers[0].PID != fat && s.Ready == 1 && s.Workers[0].Restarts >= 1 })
			l.lostNothing(t, 0)
			if s.Generation != 1 {
				t.Errorf("the status is %+v", s)
			}
		})
	}
}

func TestHungWorkerIsReplacedWithLiveness(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(2, dispatch, 0)
			conf.Liveness = &Liveness{Interval: units.Duration(50 * time.Millisecond), Timeout: units.Duration(2 * time.Second), Fails: 2}
			f := start(t, masterOptions{Config: conf})
			hung := f.id(1)
			f.freeze(hung)
			f.await("a replacement", func(s Status) bool { return s.Ready == 2 && s.Workers[0].PID != hung.PID })
			log, err := os.ReadFile(f.log)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(log), "is killed: it hangs, 2 times in a row GET /live failed: no answer within 2s") {
				t.Errorf("the log does not say why:\n%s", log)
			}
		})
	}
}

func TestScale(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(2, dispatch, 0)})
			ctx, cancel := timeout()
			defer cancel()
			l := f.load(6, false)
			for _, n := range []int{4, 1, 3} {
				if !l.after(100) {
					t.Fatal("no load")
				}
				if err := f.Scale(ctx, n); err != nil {
					t.Fatal(err)
				}
				if s := f.status(); len(s.Workers) != n || s.Ready != n {
					t.Errorf("scaled to %d the status is %+v", n, s)
				}
			}
			l.lostNothing(t, 0)
			for n, want := range map[int]string{0: "scale: 0 is no number of workers (they are 1 to 1024)", 2000: "scale: 2000 is no number of workers (they are 1 to 1024)"} {
				if err := f.Scale(ctx, n); err == nil || err.Error() != want {
					t.Errorf("scaling to %d: %v", n, err)
				}
			}
		})
	}
}

func TestScaleDownDrains(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.App.Wait = units.Duration(300 * time.Millisecond)
	f := start(t, masterOptions{Config: conf})
	ctx, cancel := timeout()
	defer cancel()
	answers := f.burst(ctx, 10)
	f.await("requests in flight", func(s Status) bool { return s.Workers[0].InFlight+s.Workers[1].InFlight == 10 })
	if err := f.Scale(ctx, 1); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if a := <-answers; a.err != nil {
			t.Errorf("a request that was in flight: %v", a.err)
		}
	}
}

// A slot that comes back goes on with its lives: one that was removed may still have
// a worker that leaves.
func TestScaleCountsLivesOn(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(2, "handoff", 0)})
	ctx, cancel := timeout()
	defer cancel()
	old := f.id(2)
	f.freeze(old) // it does not hear that it is to leave
	smaller := make(chan error, 1)
	go func() { smaller <- f.Scale(ctx, 1) }()
	f.await("one slot", func(s Status) bool { return len(s.Workers) == 1 })
	if err := f.Scale(ctx, 2); err != nil {
		t.Fatal(err)
	}
	for _, p := range f.page.Processes() {
		if p.Slot == 2 && (p.Life == 1) != (p.ID == old) {
			t.Errorf("worker 2 (pid %d) has life %d beside pid %d", p.ID.PID, p.Life, old.PID)
		}
	}
	f.signal(old, "SIGKILL")
	if err := <-smaller; err != nil {
		t.Error(err)
	}
}

func TestOutputHasTimeAndWorker(t *testing.T) {
	t.Parallel()
	f := launch(t, masterOptions{Config: config(1, "handoff", 0), Mood: "chatter"})
	line := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S* worker 1 \(pid \d+\): (hello|panic is only a word)$`)
	if !eventually(func() bool {
		log, err := os.ReadFile(f.log)
		return err == nil && len(line.FindAll(log, -1)) >= 2
	}) {
		t.Error("the worker's lines are not in the log")
	}
}

func TestStatusTellsWhatWorkersUse(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(1, "handoff", time.Millisecond)})
	l := f.load(2, false)
	f.await("figures", func(s Status) bool { w := s.Workers[0]; return w.CPU > 0 && w.Memory > 1<<20 && w.Requests > 0 })
	l.end()
}

func TestReloadOptions(t *testing.T) {
	for _, dispatch := range dispatches {
		for _, reload := range []Reload{
			{Order: "stop-first"}, {Order: "stop-first", Parallelism: 2}, {Parallelism: 2, Delay: units.Duration(10 * time.Millisecond)}, {OnFailure: "rollback"},
		} {
			t.Run(dispatch+","+reload.Order+","+reload.OnFailure, func(t *testing.T) {
				t.Parallel()
				conf := config(3, dispatch, 0)
				conf.Reload = reload
				f := start(t, masterOptions{Config: conf})
				before := f.status().pids()
				l := f.load(6, true)
				ctx, cancel := timeout()
				defer cancel()
				if err := f.Reload(ctx); err != nil {
					t.Fatal(err)
				}
				l.lostNothing(t, 100)
				s := f.status()
				for _, pid := range s.pids() {
					if pid == 0 || slices.Contains(before, pid) || s.Ready != 3 {
						t.Errorf("after the reload the status is %+v", s)
					}
				}
			})
		}
	}
}

func TestFailedReload(t *testing.T) {
	for _, dispatch := range dispatches {
		for _, onFailure := range []string{"rollback", "continue"} {
			t.Run(dispatch+","+onFailure, func(t *testing.T) {
				t.Parallel()
				conf := config(3, dispatch, 0)
				conf.Reload = Reload{OnFailure: onFailure}
				f := start(t, masterOptions{Config: conf})
				before := f.status().pids()
				l := f.load(4, false)
				ctx, cancel := timeout()
				defer cancel()
				f.mood("third crashes")
				err := f.Reload(ctx)
				if err == nil || !strings.Contains(err.Error(), "reload stopped at worker 3 of 3: 3 replacements ended before they were ready; the ") {
					t.Errorf("the reload said %v", err)
				}
				l.lostNothing(t, 50)
				after := f.status()
				if after.Ready != 3 || after.pids()[2] != before[2] {
					t.Errorf("the workers were %v, the status is %+v", before, after)
				}
				if back := slices.Equal(before, after.pids()); back != (onFailure == "rollback") {
					t.Errorf("the workers were %v and are %v", before, after.pids())
				}
			})
		}
	}
}

func TestDrainDelayFailsHealthFirst(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(2, dispatch, 0)
			conf.Drain.Delay = units.Duration(patience)
			f := start(t, masterOptions{Config: conf})
			f.signal(f.process.ID(), "SIGTERM")
			ctx, cancel := timeout()
			defer cancel()
			c := &caller{address: f.address}
			for _, path := range []string{"/health", "/ready"} {
				if !eventually(func() bool { _, status, err := c.get(ctx, path); return err == nil && status == 503 }) {
					t.Errorf("%s does not fail in the drain's delay", path)
				}
			}
			for range 10 {
				if _, status, err := c.get(ctx, "/"); err != nil || status != 200 {
					t.Errorf("in the drain's delay a request got %d, %v", status, err)
				}
			}
			f.signal(f.process.ID(), "SIGTERM") // ends all at once
			<-f.process.Done()
		})
	}
}

func TestDrainRejects(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(1, dispatch, 0)
			conf.App.Wait = units.Duration(patience)
			conf.Drain.Mode = "reject"
			f := start(t, masterOptions{Config: conf})
			kept := &caller{address: f.address, keepalive: true}
			ctx, cancel := timeout()
			defer cancel()
			if _, status, err := kept.get(ctx, "/live"); err != nil || status != 200 {
				t.Fatalf("status %d, %v", status, err)
			}
			waiting, stop := context.WithCancel(ctx)
			answers := f.burst(waiting, 1) // which holds the cluster open
			f.await("a request in flight", func(s Status) bool { return s.Workers[0].InFlight == 1 })
			f.signal(f.process.ID(), "SIGTERM")
			if !eventually(func() bool { return f.refused() }) {
				t.Error("the cluster still listens")
			}
			if dispatch != "proxy" { // which drains before its workers
				f.await("the worker to leave", func(s Status) bool { return s.Workers[0].State == Leaving })
			}
			if _, status, err := kept.get(ctx, "/"); err == nil && status != 503 {
				t.Errorf("a request in the drain got %d, %v", status, err)
			}
			stop()
			<-answers
			<-f.process.Done()
		})
	}
}

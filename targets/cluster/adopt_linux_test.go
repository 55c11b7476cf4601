package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

// A worker for whom there is no slot is told to go, and ended if it stays.
func TestWorkerWithoutASlotIsEnded(t *testing.T) {
	b := newBench(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(proc.Command{Path: self, Args: []string{programArg, "stubborn"}, Stdout: w, Stderr: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	b.self()
	_, e := b.page.Add(2, 1, 1, 0)
	e.Start(p.ID())
	e.SetReady(true)
	a, _ := newBeside(b)
	a.look()
	m := b.heir(a)
	m.Config.KillTimeout = units.Duration(time.Millisecond)
	m.adopt()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case f := <-m.posts:
				f()
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("it lives")
	}
	if !eventually(func() bool { return e.Process().Ended != 0 }) {
		t.Error("its end was not noted")
	}
}

// A worker that was ready, and is frozen while its master dies, goes on when it
// can: nobody but liveness ends who hangs.
func TestTakeoverSparesAFrozenWorker(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.Standby, conf.ReadyTimeout = "passive", units.Duration(5*time.Second)
	f := start(t, masterOptions{Config: conf})
	f.awaitStandby(1)
	// The end of the master that started it would thaw it: the kernel leaves nobody
	// stopped in a process group that is orphaned by that.
	f.signal(f.process.ID(), "SIGKILL")
	second := f.awaitMaster(2, f.process.PID()).PID
	f.awaitStandby(2)
	before := f.id(1)
	f.freeze(before)
	f.kill(second)
	f.awaitMaster(1, f.process.PID(), second)
	// A worker that is started now is given up later than one that was taken over.
	f.mood("hang")
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Scale(ctx, 3); err == nil || !strings.HasPrefix(err.Error(), "scale: 1 of 1 new workers ended") {
		t.Fatalf("a worker that hangs: %v", err)
	}
	f.signal(before, "SIGCONT")
	f.mood("")
	s := f.await("all workers", func(s Status) bool { return s.Ready == 3 })
	if s.Workers[0].PID != before.PID || s.Workers[0].Restarts != 0 {
		t.Errorf("worker 1 is %+v and was process %d", s.Workers[0], before.PID)
	}
	f.end()
}

// A worker rests while a reload can be taken back. If its successor and the master
// die it is the one that there is.
func TestTakeoverWakesWhoRests(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(2, dispatch, 0)
			conf.Standby, conf.Reload.OnFailure = "passive", "rollback"
			f := start(t, masterOptions{Config: conf})
			f.awaitStandby(1)
			before := f.status().pids()
			f.mood("second hangs") // so that the reload stands still after the first
			ctx, cancel := timeout()
			defer cancel()
			reloaded := make(chan error, 1)
			go func() { reloaded <- f.Reload(ctx) }()
			f.await("the first to be replaced, and the second to start", func(s Status) bool {
				starting := 0
				for _, p := range s.Processes {
					if p.Slot == 2 && p.Ended == 0 {
						starting++
					}
				}
				return s.Workers[0].PID != before[0] && s.Ready == 2 && starting == 2
			})
			successor := f.id(1)
			f.freeze(f.process.ID())
			f.signal(successor, "SIGKILL")
			f.awaitMaster(2, f.process.PID())
			<-reloaded
			seen := map[int]bool{}
			if !eventually(func() bool {
				answers := f.burst(ctx, 8)
				for range 8 {
					a := <-answers
					if a.err != nil || a.status != 200 {
						t.Fatalf("an answer: %+v", a)
					}
					seen[a.pid] = true
				}
				return len(seen) == 2
			}) {
				t.Errorf("only %v answer", seen)
			}
			f.mood("")
			f.end()
		})
	}
}

// What a master holds of a worker that it has taken over it lets go with that.
func TestTakeoverLeaksNoDescriptors(t *testing.T) {
	t.Parallel()
	conf := config(4, "proxy", 0)
	conf.Standby = "passive"
	f := start(t, masterOptions{Config: conf})
	f.awaitStandby(1)
	f.signal(f.process.ID(), "SIGKILL")
	master := f.awaitMaster(4, f.process.PID()).PID
	f.awaitStandby(2)
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	held := 0
	if !eventually(func() bool {
		held = 0
		folder := fmt.Sprintf("/proc/%d/fd", master)
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if to, err := os.Readlink(folder + "/" + e.Name()); err == nil && to == "anon_inode:[pidfd]" {
				held++
			}
		}
		return held <= 5 // its children: four workers and a standby
	}) {
		t.Errorf("it holds %d processes", held)
	}
	f.end()
}

// A worker that its master had no time to note notes itself, or ends: no next
// master would know it.
func TestWorkerIsNotedOrEnds(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, lives := range []bool{true, false} {
		t.Run(fmt.Sprintf("its master lives=%v", lives), func(t *testing.T) {
			b := newBench(t)
			index, e := b.page.Add(1, 1, 1, 0)
			c := workerConfig{Master: os.Getpid(), Slot: 1, Life: 1, Index: index, Exec: []string{self, programArg, "stubborn"}, Port: 1, PortVar: "PORT"}
			if !lives {
				c.Master = os.Getppid()
			}
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			p, err := proc.Start(proc.Command{
				Path: self, Args: []string{t.Name()}, Env: []string{workerVar + "=" + string(text), "GORACE=atexit_sleep_ms=0"},
				Stdout: w, Stderr: w, Files: []*os.File{b.page.File()},
			})
			w.Close()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Kill)
			line, err := bufio.NewReader(r).ReadString('\n')
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if lives && (line != "stubborn\n" || e.Process().ID != p.ID()) {
				t.Errorf("it said %q, and the page has %v instead of %v", line, e.Process().ID, p.ID())
			}
			if !lives && (!strings.HasSuffix(line, "ended before it knew this worker\n") || e.Process().ID.PID != 0) {
				t.Errorf("it said %q, and the page has %v", line, e.Process().ID)
			}
		})
	}
}

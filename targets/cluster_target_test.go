//go:build unix

package targets

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/hachaos/hachaos/targets/proc"
)

func clusterConfig(dispatch string) cluster.Config {
	// A slow machine must not look like workers that never become ready.
	return cluster.Config{Workers: 2, Dispatch: dispatch, ReadyTimeout: units.Duration(patience)}
}

func TestClusterServesAndStops(t *testing.T) {
	s := newStage(t)
	target := NewCluster(clusterConfig("handoff"), s.Options)
	s.play(target)
	s.awaitReady(2)
	for range 6 {
		if _, err := get(t.Context(), target.URL()); err != nil {
			t.Fatal(err)
		}
	}
	main, alive := target.Main()
	workers, err := target.Workers()
	if !alive || err != nil || len(workers) != 2 || workers[0].Slot != 1 || workers[1].Slot != 2 || !workers[0].Ready || target.Slots() != 2 {
		t.Errorf("main %v %v, workers %+v %v", main, alive, workers, err)
	}
	all, err := target.All()
	if err != nil || len(all) != 3 || all[0].ID != main || all[1].ID != workers[0].ID {
		t.Errorf("all its processes are %+v, %v", all, err)
	}
	if err := target.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := target.Workers()
	if err != nil || len(after) != 2 || after[0].ID == workers[0].ID || after[1].ID == workers[1].ID {
		t.Errorf("after the reload the workers are %+v, %v", after, err)
	}
	if err := target.Exit(t.Context(), 1, 4); err != nil {
		t.Fatal(err)
	}
	s.await("the exit to be seen", func() bool {
		return slices.ContainsFunc(s.seen(), func(c Change) bool {
			return c.Source == "cluster" && c.Ready == 1 && strings.HasSuffix(c.What, "ended with exit status 4")
		})
	})
	s.awaitReady(2)
	s.stop(target)
	var sum int64
	served := target.Served()
	for _, n := range served {
		sum += n
	}
	if len(served) != 5 || sum != 6 {
		t.Errorf("served were %v, want 6 by 5 processes", served)
	}
	usages := target.Usages()
	names := map[string]int{}
	var used time.Duration
	for _, u := range usages {
		names[u.Process]++
		used += u.CPU
		if u.CPU == 0 || u.RSSMax == 0 && u.Process == "master" {
			t.Errorf("used were %+v", u)
		}
	}
	// The master has waited for all of them.
	if all := target.main.Exit().CPU; used > all+time.Millisecond {
		t.Errorf("the processes used %v, of %v in all", used, all)
	}
	if names["master"] != 1 || names["worker 1"] != 3 || names["worker 2"] != 2 {
		t.Errorf("usages are those of %v", names)
	}
	if len(s.started) != 1 || s.started[0] != main {
		t.Errorf("started by the target were %v, want the master %v", s.started, main)
	}
}

func TestClusterWithoutItsMaster(t *testing.T) {
	for _, c := range []struct {
		dispatch string
		ready    int
	}{{"handoff", 0}, {"shared", 2}} {
		t.Run(c.dispatch, func(t *testing.T) {
			s := newStage(t)
			target := NewCluster(clusterConfig(c.dispatch), s.Options)
			s.play(target)
			s.awaitReady(2)
			main, _ := target.Main()
			if err := proc.Signal(main, os.Kill); err != nil {
				t.Fatal(err)
			}
			<-target.Done()
			if err := target.Err(); err == nil || !strings.Contains(err.Error(), "ended: killed by SIGKILL") {
				t.Errorf("it ended because of %v", err)
			}
			s.awaitReady(c.ready)
			if _, alive := target.Main(); alive {
				t.Error("a dead master lives")
			}
			// Its workers hang on to their lifeline; Stop ends them too.
			if workers, err := target.Workers(); err != nil || len(workers) != 2 {
				t.Errorf("the workers are %+v, %v", workers, err)
			}
			if err := target.Reload(t.Context()); !errors.Is(err, cluster.ErrNoMaster) {
				t.Errorf("a reload without a master: %v", err)
			}
			s.stop(target)
			if served := target.Served(); len(served) != 2 {
				t.Errorf("served were %v", served)
			}
		})
	}
}

func TestFrozenMasterIsSeenThrough(t *testing.T) {
	s := newStage(t)
	target := NewCluster(clusterConfig("shared"), s.Options)
	s.play(target)
	s.awaitReady(2)
	main, _ := target.Main()
	stop, err := proc.ParseSignal("SIGSTOP")
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Signal(main, stop); err != nil {
		t.Fatal(err)
	}
	workers, err := target.Workers()
	if err != nil || len(workers) != 2 {
		t.Fatalf("beside a frozen master the workers are %+v, %v", workers, err)
	}
	if err := proc.Signal(workers[0].ID, os.Kill); err != nil {
		t.Fatal(err)
	}
	// A frozen master notes no end, and still the dead worker is not listed.
	s.await("the end of a worker", func() bool {
		left, err := target.Workers()
		return err == nil && !slices.ContainsFunc(left, func(w Worker) bool { return w.ID == workers[0].ID })
	})
	if _, err := get(t.Context(), target.URL()); err != nil {
		t.Error(err)
	}
	s.stop(target) // which thaws it
}

func TestClusterDoesNotStart(t *testing.T) {
	s := newStage(t)
	missing := s.Options
	missing.Self = []string{"/no/such/program"}
	if err := NewCluster(clusterConfig("handoff"), missing).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "start the cluster: start /no/such/program") {
		t.Errorf("a missing program: %v", err)
	}
	wrong := clusterConfig("handoff")
	wrong.Threads = -1
	target := NewCluster(wrong, s.Options)
	s.checkEmpty(target)
	err := target.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the master ended before it listened: exit status 1") || !strings.Contains(err.Error(), "threads is a number from 1") {
		t.Errorf("a wrong configuration: %v", err)
	}
	s.checkEmpty(target)
	mumbling := s.Options
	mumbling.Self = append(mumbling.Self[:1:1], "mumble")
	if err := NewCluster(clusterConfig("handoff"), mumbling).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "the master does not listen: invalid character 'h'") {
		t.Errorf("a program that is no hachaos: %v", err)
	}
	if err := os.WriteFile(filepath.Join(s.Folder, "sulk"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewCluster(clusterConfig("handoff"), s.Options).Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("no time to start: %v", err)
	}
}

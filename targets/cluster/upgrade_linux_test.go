package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// slowBinary is one that is never ready.
func slowBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slow")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whoever stops a cluster while it waits for a new master stops all of it.
func TestStopInAnUpgrade(t *testing.T) {
	for _, how := range []string{"stop", "SIGTERM"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(2, "handoff", 0)})
			ctx, cancel := timeout()
			defer cancel()
			slow, upgraded := slowBinary(t), make(chan error, 1)
			go func() { upgraded <- f.Upgrade(ctx, slow) }()
			busy := func(err error) bool {
				return err != nil && strings.Contains(err.Error(), "handed over")
			}
			if !eventually(func() bool { return busy(f.Scale(ctx, 2)) }) {
				t.Error("the cluster can be scaled while it is handed over")
			}
			if err := f.Reload(ctx); !busy(err) {
				t.Errorf("a reload while the cluster is handed over: %v", err)
			}
			if how == "stop" {
				if err := f.Stop(ctx); err != nil {
					t.Error(err)
				}
			} else {
				f.signal(f.process.ID(), how)
			}
			if err := <-upgraded; err == nil {
				t.Error("the upgrade went well")
			}
			<-f.process.Done()
			if x := f.process.Exit(); x.Failed() {
				t.Errorf("the master %s", x)
			}
			f.awaitNoProcess()
		})
	}
}

// Once the new master has connections it is that one which is to stop.
func TestStopIsPassedOnByAMasterThatCedes(t *testing.T) {
	m := &master{ceding: true}
	m.stop()
	if m.stopping || !slices.Equal(m.owed, []os.Signal{syscall.SIGTERM}) {
		t.Error("it stops by itself")
	}
}

func TestFailedUpgradeLeavesAStandby(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.Standby = "passive"
	f := start(t, masterOptions{Config: conf})
	f.awaitStandby(1)
	ctx, cancel := timeout()
	defer cancel()
	for n := range 2 {
		if err := f.Upgrade(ctx, "/bin/true"); err == nil {
			t.Error("the upgrade to what is no hachaos went well")
		}
		f.awaitStandby(n + 2)
	}
	f.signal(f.process.ID(), "SIGKILL")
	f.awaitMaster(2, f.process.PID())
	f.end()
}

// What no worker takes the new master gets.
func TestUpgradeBesideAFrozenWorker(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(1, "handoff", 0)})
	ctx, cancel := timeout()
	defer cancel()
	id := f.id(1)
	f.freeze(id)
	const requests = 4
	answers := f.burst(ctx, requests)
	f.await("the requests to wait", func(s Status) bool { return s.Queued >= requests-1 })
	f.upgrade()
	if x := f.process.Exit(); x.Failed() {
		t.Errorf("the old master %s", x)
	}
	f.signal(id, "SIGCONT")
	for range requests {
		if a := <-answers; a.err != nil || a.status != 200 {
			t.Errorf("a request that waited: %+v", a)
		}
	}
	f.awaitMaster(1, f.process.PID())
	f.end()
}

package cluster

import (
	"errors"
	"log/slog"
	"syscall"
	"testing"
)

func TestReuseportSparesASlotWithoutWorker(t *testing.T) {
	t.Parallel()
	conf := config(2, "reuseport", 0)
	conf.Restart.When = "never"
	f := start(t, masterOptions{Config: conf})
	ctx, cancel := timeout()
	defer cancel()
	pids := map[int]int{}
	if !eventually(func() bool {
		a := <-f.burst(ctx, 1)
		pids[a.pid]++
		return len(pids) == 2
	}) {
		t.Fatalf("not both workers got connections: %v", pids)
	}
	left := f.id(2)
	f.signal(f.id(1), "SIGKILL")
	f.await("one worker to be left", func(s Status) bool { return s.Workers[0].State == Ended })
	for range 40 {
		if a := <-f.burst(ctx, 1); a.err != nil || a.pid != left.PID {
			t.Fatalf("with one slot empty: %+v", a)
		}
	}
	// A reload fills the slot again, and its listener is there again.
	if err := f.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	now := f.id(1).PID
	if !eventually(func() bool { return (<-f.burst(ctx, 1)).pid == now }) {
		t.Error("the slot that was filled again gets nothing")
	}
}

func TestReuseportSharesItsPortWithNoOther(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(1, "reuseport", 0)})
	o := Options{Config: config(1, "reuseport", 0), Listen: f.address, Dir: f.Dir + "2", Log: slog.New(slog.DiscardHandler)}
	o.setDefaults()
	if _, err := o.found(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second master on the same port: %v", err)
	}
}

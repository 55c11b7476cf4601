//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

func TestReloadLosesNothing(t *testing.T) {
	for _, dispatch := range dispatches {
		for _, keepalive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,keepalive=%v", dispatch, keepalive), func(t *testing.T) {
				t.Parallel()
				f := start(t, masterOptions{Config: config(3, dispatch, 0)})
				l := f.load(8, keepalive)
				ctx, cancel := timeout()
				defer cancel()
				for range 3 {
					before := f.status().pids()
					if !l.after(300) {
						t.Fatal("no load")
					}
					if err := f.Reload(ctx); err != nil {
						t.Fatal(err)
					}
					for _, pid := range f.status().pids() {
						if pid == 0 || slices.Contains(before, pid) {
							t.Errorf("after the reload process %d serves, before it were %v", pid, before)
						}
					}
				}
				l.lostNothing(t, 300)
				if n, good := f.counted(), l.good.Load(); n != good {
					t.Errorf("the workers count %d requests, the clients %d", n, good)
				}
				if s := f.status(); s.Generation != 4 || s.Workers[0].Restarts != 0 {
					t.Errorf("after three reloads the status is %+v", s)
				}
			})
		}
	}
}

func TestReloadBySignal(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(2, "handoff", 0)})
	before := f.status().pids()
	f.signal(f.process.ID(), "SIGUSR2")
	f.await("new workers", func(s Status) bool {
		return s.Ready == 2 && !s.Reloading && s.Workers[0].PID != before[0] && s.Workers[1].PID != before[1]
	})
}

func TestReloadWithoutReadyWorkersChangesNothing(t *testing.T) {
	for _, c := range []struct{ mood, want string }{
		{"hang", "reload stopped at worker 1 of 2: its replacement was not ready within 10s"},
		{"crash", "reload stopped at worker 1 of 2: 3 replacements ended before they were ready"},
	} {
		t.Run(c.mood, func(t *testing.T) {
			t.Parallel()
			conf := config(2, "handoff", 0)
			// Long enough for those that are to be ready, on a busy machine too.
			conf.ReadyTimeout = units.Duration(10 * time.Second)
			f := start(t, masterOptions{Config: conf})
			before := f.status().pids()
			f.mood(c.mood)
			ctx, cancel := timeout()
			defer cancel()
			if err := f.Reload(ctx); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("the reload said %v, want %s", err, c.want)
			}
			if after := f.status().pids(); !slices.Equal(before, after) {
				t.Errorf("the workers were %v and are %v", before, after)
			}
			if a := <-f.burst(ctx, 1); a.err != nil {
				t.Errorf("the cluster does not serve: %v", a.err)
			}
			f.mood("")
			if err := f.Reload(ctx); err != nil {
				t.Errorf("the next reload: %v", err)
			}
		})
	}
}

func TestCrashesDoNotStopAReload(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(3, "handoff", 0)})
	before := f.status().pids()
	ctx, cancel := timeout()
	defer cancel()
	// One crashes before its turn, while a worker that is asked to leave is
	// frozen, which holds the reload up; so it is asked to leave and dies then.
	frozen, victim := f.id(1), f.id(3)
	f.freeze(frozen)
	reloaded := make(chan error, 1)
	go func() { reloaded <- f.Reload(ctx) }()
	f.await("the reload to wait for worker 1", func(s Status) bool { return s.Reloading && s.Workers[0].PID != frozen.PID })
	f.signal(victim, "SIGKILL")
	f.signal(frozen, "SIGKILL")
	if err := <-reloaded; err != nil {
		t.Fatal(err)
	}
	s := f.await("all to be ready", func(s Status) bool { return s.Ready == 3 })
	for _, pid := range s.pids() {
		if slices.Contains(before, pid) {
			t.Errorf("process %d was there before the reload", pid)
		}
	}
}

func TestHeldConnectionDoesNotStopAReload(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.KillTimeout = units.Duration(500 * time.Millisecond)
	f := start(t, masterOptions{Config: conf})
	var held []net.Conn
	for range 6 { // round robin: every worker gets some
		conn := f.dial()
		defer conn.Close()
		if _, err := conn.Write([]byte("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")); err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	f.await("requests in flight", func(s Status) bool { return s.Workers[0].InFlight > 0 && s.Workers[1].InFlight > 0 })
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	for _, conn := range held { // they see an end, and do not hang
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1)
		var timeout net.Error
		if _, err := conn.Read(b); errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("a held connection hangs")
		}
	}
}

func TestReloadsInBetweenAreOne(t *testing.T) {
	m := &master{done: make(chan struct{}), posts: make(chan func(), 100), watchers: map[*watcher]struct{}{}}
	m.Log = slog.New(slog.DiscardHandler)
	m.generation = 1
	told := make(chan error, 10)
	m.requestReload(told) // of no slots: it is done as soon as it is let
	for range 4 {
		m.requestReload(told)
	}
	(<-m.posts)()
	if len(told) != 1 || m.generation != 3 {
		t.Errorf("after the first reload %d callers of 5 are told, and the generation is %d", len(told), m.generation)
	}
	(<-m.posts)()
	if len(told) != 5 || m.generation != 3 || m.reloads.running {
		t.Errorf("after the second reload %d callers of 5 are told, and the generation is %d", len(told), m.generation)
	}
	m.wg.Wait()
}

func TestStopInAReload(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.KillTimeout = units.Duration(300 * time.Millisecond)
	f := start(t, masterOptions{Config: conf})
	f.mood("hang")
	ctx, cancel := timeout()
	defer cancel()
	reloaded := make(chan error, 1)
	go func() { reloaded <- f.Reload(ctx) }()
	f.await("a reload", func(s Status) bool { return s.Reloading })
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
	<-f.process.Done()
	if x := f.process.Exit(); x.Failed() {
		t.Errorf("the master %s: %s", x, proc.Tail(f.log, 5))
	}
	if err := <-reloaded; err == nil {
		t.Error("a reload that was cut short was done")
	}
}

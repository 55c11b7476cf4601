package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/proc"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("CHAOS_TEST_SLEEP") != "" {
		time.Sleep(time.Minute)
		return
	}
	if leave := os.Getenv("CHAOS_TEST_LEAVE"); leave != "" {
		takeLeave(leave)
		return
	}
	goleak.VerifyTestMain(m)
}

// herd is a target of real processes that do nothing.
type herd struct {
	t     *testing.T
	procs []*proc.Process // by slot
}

func newHerd(t *testing.T, n int) *herd {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to send")
	}
	h := &herd{t: t}
	for range n {
		p, err := proc.Start(proc.Command{Path: os.Args[0], Env: []string{"CHAOS_TEST_SLEEP=1"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		h.procs = append(h.procs, p)
	}
	return h
}

func (h *herd) Main() (proc.ID, bool) { return h.procs[0].ID(), h.alive(h.procs[0]) }
func (h *herd) Slots() int            { return len(h.procs) }

func (h *herd) Workers() ([]Worker, error) {
	var w []Worker
	for i, p := range h.procs {
		if h.alive(p) {
			w = append(w, Worker{i + 1, p.ID()})
		}
	}
	return w, nil
}

func (h *herd) All() ([]proc.Info, error) {
	var all []proc.Info
	for _, p := range h.procs {
		if info, err := proc.Lookup(p.PID()); err == nil {
			all = append(all, info)
		}
	}
	return all, nil
}

func (h *herd) alive(p *proc.Process) bool {
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// journal notes what was opened and closed, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
	fail  error
}

func (j *journal) Open(id string, _ Revert) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, "open "+id)
	return j.fail
}

func (j *journal) Close(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, "close "+id)
	return nil
}

func (*journal) Command(proc.ID) error      { return nil }
func (*journal) CommandEnded(proc.ID) error { return nil }

func conduct(ctx context.Context, target Target, j *journal, observe func(Event), faults ...Fault) ([]Event, error) {
	return Conduct(ctx, Score{Shots: Plan(1, faults, time.Hour), Epoch: clock.Now(), Target: target, Journal: j, Observe: observe})
}

func TestKillHitsTheDrawnSlotOnly(t *testing.T) {
	h := newHerd(t, 4)
	fault := Fault{Name: "crash", Kill: &Kill{}}
	want := Plan(1, []Fault{fault}, time.Hour)[0].Order(4)[0]
	events, err := conduct(t.Context(), Target{Processes: h}, &journal{}, nil, fault)
	if err != nil {
		t.Fatal(err)
	}
	<-h.procs[want-1].Done()
	e := events[0]
	if e.State != Done || e.ID != "crash#1" || len(e.Victims) != 1 || e.Victims[0] != (Victim{want, h.procs[want-1].PID()}) {
		t.Errorf("event %+v", e)
	}
	if wantDetail := fmt.Sprintf("SIGKILL worker %d (pid %d)", want, h.procs[want-1].PID()); e.Detail != wantDetail {
		t.Errorf("detail %q, want %q", e.Detail, wantDetail)
	}
	if left, _ := h.Workers(); len(left) != 3 {
		t.Errorf("%d of 4 are left", len(left))
	}
}

func TestSelectors(t *testing.T) {
	h := newHerd(t, 3)
	h.procs[1].Kill()
	target := Target{Processes: h}
	shot := Plan(1, []Fault{{Name: "f", Kill: &Kill{}}}, time.Hour)[0]
	for _, c := range []struct {
		sel  Selector
		want string // the slots, or the error
	}{
		{Selector{Workers: Count{All: true}}, "[1 3]"},
		{Selector{Workers: Count{N: 4}}, "the target has only 3 of 4 workers"},
		{Selector{Pick: "oldest"}, "[1]"},
		{Selector{Pick: "newest"}, "[3]"},
		{Selector{Pick: "newest", Workers: Count{N: 3}}, "[3 1]"},
		{Selector{Process: "main"}, "[0]"},
		{Selector{Match: `chaos\.test`, Workers: Count{All: true}}, "[1 2]"},
		{Selector{Match: `no such thing`}, `no process of the run matches "no such thing"`},
	} {
		marks, err := c.sel.choose(target, shot)
		slots := []int{}
		for _, m := range marks {
			slots = append(slots, m.slot)
		}
		got := fmt.Sprint(slots)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.sel, got, c.want)
		}
	}
}

func TestAVictimThatHasEndedIsSkipped(t *testing.T) {
	h := newHerd(t, 1)
	events, err := conduct(t.Context(), Target{Processes: h}, &journal{}, func(e Event) {
		if e.N == 1 {
			<-h.procs[0].Done()
		}
	}, Fault{Name: "crash", Kill: &Kill{}, Every: seconds(.5), Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 2 || events[0].State != Done || events[1].State != Skipped || events[1].Error == "" {
		t.Errorf("events %+v", events)
	}
}

// frozen tells whether the system shows the process as stopped.
func frozen(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "T")
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s for: %s", what)
		}
		runtime.Gosched()
	}
}

func TestPauseIsRevertedWhenTheRunEnds(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	h := newHerd(t, 1)
	j := &journal{}
	pid := h.procs[0].PID()
	ctx, cancel := context.WithCancelCause(t.Context())
	states := []State{}
	events, err := conduct(ctx, Target{Processes: h}, j, func(e Event) {
		states = append(states, e.State)
		if e.End == 0 {
			waitFor(t, "the victim is frozen", func() bool { return frozen(pid) })
			cancel(ErrOver)
		}
	}, Fault{Name: "freeze", Pause: &Pause{}, For: seconds(3600)})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the victim goes on", func() bool { return !frozen(pid) })
	if got := fmt.Sprint(j.lines); got != "[open freeze#1 close freeze#1]" {
		t.Errorf("journal %s", got)
	}
	if e := events[0]; !e.Lasting || e.Ended || e.State != Done || e.End <= e.Start || len(states) != 2 {
		t.Errorf("event %+v, observed as %v", e, states)
	}
}

// Who watches over a process that hangs kills it: then nothing hangs any more.
func TestPauseIsOverWhenItsVictimHasEnded(t *testing.T) {
	h := newHerd(t, 1)
	j := &journal{}
	events, err := conduct(t.Context(), Target{Processes: h}, j, func(e Event) {
		if e.End == 0 {
			go h.procs[0].Kill() // it waits for the end
		}
	}, Fault{Name: "hang", Pause: &Pause{}, For: seconds(3600)})
	if err != nil {
		t.Fatal(err)
	}
	if e := events[0]; !e.Lasting || !e.Ended || e.State != Done || e.End <= e.Start || e.End > time.Minute {
		t.Errorf("event %+v", e)
	}
	if got := fmt.Sprint(j.lines); got != "[open hang#1 close hang#1]" {
		t.Errorf("journal %s", got)
	}
}

func TestNothingIsInjectedWithoutAJournal(t *testing.T) {
	h := newHerd(t, 1)
	_, err := conduct(t.Context(), Target{Processes: h}, &journal{fail: errors.New("disk full")}, nil,
		Fault{Name: "freeze", Pause: &Pause{}, For: seconds(1)})
	var failed *InjectionError
	if !errors.As(err, &failed) || failed.ID != "freeze#1" || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
	if frozen(h.procs[0].PID()) {
		t.Error("the victim was frozen all the same")
	}
}

func TestExec(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("uses Unix programs")
	}
	dir := t.TempDir()
	mark := filepath.Join(dir, "mark")
	fault := Fault{Name: "break", Exec: &Exec{Run: []string{"touch", "mark"}, Revert: []string{"rm", "mark"}}, For: seconds(.01)}
	fault.Exec.SetDir(dir)
	there := false
	events, err := conduct(t.Context(), Target{}, &journal{}, func(e Event) {
		if e.End == 0 {
			_, err := os.Stat(mark)
			there = err == nil
		}
	}, fault)
	if err != nil || !there || events[0].Detail != "touch mark" {
		t.Errorf("error %v, injected %v, events %+v", err, there, events)
	}
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not reverted: %v", err)
	}
}

func TestAFailedInjectionEndsTheRestAndIsReverted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("uses Unix programs")
	}
	dir := t.TempDir()
	bad := Fault{Name: "bad", Exec: &Exec{Run: []string{"sh", "-c", "echo no way >&2; exit 3"}, Revert: []string{"touch", "undone"}}, For: seconds(1)}
	bad.Exec.SetDir(dir)
	later := Fault{Name: "later", Exec: &Exec{Run: []string{"touch", "later"}}, At: seconds(3600)}
	events, err := conduct(t.Context(), Target{}, &journal{}, nil, bad, later)
	if err == nil || !strings.Contains(err.Error(), "fault bad#1: run sh: exit status 3: no way") {
		t.Errorf("error %v", err)
	}
	if len(events) != 1 || events[0].State != Failed {
		t.Errorf("events %+v", events)
	}
	if _, err := os.Stat(filepath.Join(dir, "undone")); err != nil {
		t.Errorf("half an injection was not undone: %v", err)
	}

	bad.Optional = true
	if _, err := conduct(t.Context(), Target{}, &journal{}, nil, bad); err != nil {
		t.Errorf("an optional fault failed the run: %v", err)
	}
}

func TestAHungCommandIsEndedWithItsChildren(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	dir := t.TempDir()
	f := Fault{Name: "hang", Exec: &Exec{Run: []string{"sh", "-c", "sleep 3600 & echo $! > pid.tmp; mv pid.tmp pid; wait"}}}
	f.Exec.SetDir(dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(dir, "pid")); err == nil {
				cancel(errors.New("interrupted"))
				return
			}
			runtime.Gosched()
		}
	}()
	events, err := conduct(ctx, Target{}, &journal{}, nil, f)
	if err != nil || events[0].State != Failed {
		t.Errorf("error %v, events %+v", err, events)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the command's child has ended", func() bool {
		info, err := proc.Lookup(pid)
		return err != nil || info.Zombie
	})
}

// reloader reloads until it is let go.
type reloader struct{ release chan struct{} }

func (r reloader) Reload(ctx context.Context) error {
	select {
	case <-r.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAReloadIsLetFinishWhenTheLoadIsOver(t *testing.T) {
	r := reloader{make(chan struct{})}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancelled := make(chan struct{})
	go func() {
		<-cancelled
		close(r.release)
	}()
	go func() {
		cancel(ErrOver)
		close(cancelled)
	}()
	f := Fault{Name: "reload", Reload: &Reload{}}
	events, err := conduct(ctx, Target{Reloader: r}, &journal{}, nil, f)
	// It may not have begun; if it did, it ended well.
	if err != nil || slices.ContainsFunc(events, func(e Event) bool { return e.State != Done }) {
		t.Errorf("error %v, events %+v", err, events)
	}
}

// forever is a reload that never ends by itself.
type forever struct{}

func (forever) Reload(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAnInjectionThatNeverEndsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		begin := time.Now()
		time.AfterFunc(time.Minute, func() { cancel(ErrOver) })
		events, err := conduct(ctx, Target{Reloader: forever{}}, &journal{}, nil, Fault{Name: "reload", Reload: &Reload{}, At: seconds(1)})
		if err == nil || !strings.Contains(err.Error(), "reload#1: not finished 15s after the load was over") || events[0].State != Failed {
			t.Errorf("error %v, events %+v", err, events)
		}
		if took := time.Since(begin); took != time.Minute+15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// sluggish is a target that needs time to name its only worker, and more to let
// it exit.
type sluggish struct{ Processes }

func (sluggish) Slots() int { return 1 }

func (sluggish) Workers() ([]Worker, error) {
	time.Sleep(30 * time.Millisecond)
	return []Worker{{Slot: 1}}, nil
}

func (sluggish) Exit(context.Context, int, int) error {
	time.Sleep(80 * time.Millisecond)
	return nil
}

// A fault's start is the first moment at which it can have acted, and what the
// injection took from then on is told.
func TestAnInjectionThatTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events, err := conduct(t.Context(), Target{Processes: sluggish{}, Exiter: sluggish{}}, &journal{}, nil, Fault{Name: "exit", Exit: &Exit{}, At: seconds(1)})
		if err != nil {
			t.Fatal(err)
		}
		if e := events[0]; e.At != time.Second || e.Start != e.At+30*time.Millisecond || e.Took != 80*time.Millisecond || e.End != e.Start {
			t.Errorf("%+v", e)
		}
	})
}

func TestKinds(t *testing.T) {
	f := Fault{Kill: &Kill{}, Exec: &Exec{}}
	if got := fmt.Sprintf("%v %s", f.Kinds(), f.Kind()); got != "[kill exec] kill" {
		t.Error(got)
	}
	if (&Fault{}).Kind() != "" {
		t.Error("a fault without a kind has one")
	}
}

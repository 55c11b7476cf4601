package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/proc"
)

const (
	// trackEvery is how often the guard looks which processes the run has: one
	// that hides its environment and loses its parent was seen before.
	trackEvery = 500 * time.Millisecond
	// sweepFor bounds how long the guard goes on ending processes.
	sweepFor = 15 * time.Second
)

// RunGuard is what the process of a [Guard] does: it reads the journal from in
// until its end, which is the controller's end, then undoes and ends what is
// left, and writes a [GuardReport] to out. The caller makes sure that signals
// do not end it.
func RunGuard(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	var first guardNote
	line, err := lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &first) != nil || first.Run == "" {
		return fmt.Errorf("this command is for hachaos itself: it expects a journal on its standard input")
	}
	w := newWatch(first.Run)
	// The answer tells the controller that it is guarded. If that has gone already,
	// nothing was started yet.
	if _, err := out.Write([]byte("\n")); err != nil {
		return nil
	}

	done := make(chan struct{})
	var tracking sync.WaitGroup
	tracking.Go(func() { w.track(done) })
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break // a line that is cut off was not safe, and nothing was done on it
		}
		var n guardNote
		if json.Unmarshal(line, &n) == nil {
			w.take(n)
		}
	}
	close(done)
	tracking.Wait()

	report := w.end()
	_ = json.NewEncoder(out).Encode(report) // nobody may be left to read it
	return nil
}

// watch is what the guard knows of the run.
type watch struct {
	run string

	mu       sync.Mutex
	known    []proc.ID
	commands []proc.ID // of faults, while they run
	order    []string  // open faults, oldest first
	reverts  map[string]chaos.Revert
	folders  []string
}

func newWatch(run string) *watch { return &watch{run: run, reverts: map[string]chaos.Revert{}} }

func (w *watch) take(n guardNote) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case n.Process != nil:
		w.known = append(w.known, *n.Process)
	case n.Command != nil:
		w.commands = append(w.commands, *n.Command)
	case n.Ended != nil:
		w.commands = slices.DeleteFunc(w.commands, func(id proc.ID) bool { return id == *n.Ended })
	case n.Folder != "":
		w.folders = append(w.folders, n.Folder)
	case n.Open != "" && n.Revert != nil:
		w.order = append(w.order, n.Open)
		w.reverts[n.Open] = *n.Revert
	case n.Close != "":
		w.order = slices.DeleteFunc(w.order, func(id string) bool { return id == n.Close })
		delete(w.reverts, n.Close)
	}
}

// track remembers the run's processes until done.
func (w *watch) track(done <-chan struct{}) {
	tick := time.NewTicker(trackEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if table, err := proc.ReadTable(); err == nil {
				w.members(table)
			}
		}
	}
}

// members lists the run's living processes, remembers them, and forgets those
// of which nothing is left, before their pids pass on to strangers.
func (w *watch) members(table proc.Table) []proc.Info {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = slices.DeleteFunc(w.known, func(id proc.ID) bool { return !table.Holds(id) })
	found := table.OfRun(w.run, w.known)
	found = slices.DeleteFunc(found, func(p proc.Info) bool { return p.PID == os.Getpid() })
	for _, p := range found {
		if !slices.Contains(w.known, p.ID) {
			w.known = append(w.known, p.ID)
		}
	}
	return found
}

// end undoes what is in force, last first, and ends the run's processes.
func (w *watch) end() GuardReport {
	var report GuardReport
	w.endCommands(&report)
	for _, id := range slices.Backward(w.order) {
		ctx, cancel := context.WithTimeout(context.Background(), sweepFor)
		if err := w.reverts[id].Play(ctx); err != nil {
			report.Errors = append(report.Errors, fmt.Sprintf("%s: %v", id, err))
		} else {
			report.Reverted = append(report.Reverted, id)
		}
		cancel()
	}
	w.sweep(&report)
	for _, folder := range w.folders {
		backend.Release(folder)
		if err := os.RemoveAll(folder); err != nil {
			report.Errors = append(report.Errors, err.Error())
		}
	}
	return report
}

// endCommands ends the commands that still run, before their faults are undone.
func (w *watch) endCommands(report *GuardReport) {
	table, err := proc.ReadTable()
	if err != nil || len(w.commands) == 0 {
		return // sweep tells of a table that cannot be read
	}
	for _, p := range table.OfRun("", w.commands) {
		if proc.Signal(p.ID, os.Kill) == nil {
			report.Ended = append(report.Ended, nameOf(p))
		}
	}
}

// sweep kills the run's processes until none is left: while it looks, one may
// still start another.
func (w *watch) sweep(report *GuardReport) {
	killed := map[proc.ID]bool{}
	for deadline := time.Now().Add(sweepFor); ; {
		table, err := proc.ReadTable()
		if err != nil {
			report.Errors = append(report.Errors, err.Error())
			return
		}
		left := w.members(table)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			report.Errors = append(report.Errors, fmt.Sprintf("%d processes of the run could not be ended, %s among them", len(left), nameOf(left[0])))
			return
		}
		for _, p := range left {
			if err := proc.Signal(p.ID, os.Kill); err == nil && !killed[p.ID] {
				killed[p.ID] = true
				report.Ended = append(report.Ended, nameOf(p))
			}
		}
		time.Sleep(time.Millisecond) // for the kernel to tear them down
	}
}

func nameOf(p proc.Info) string { return fmt.Sprintf("%s (pid %d)", p.Name, p.PID) }

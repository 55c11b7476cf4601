package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	// innerFor bounds how long guards of runs within this one may take for what they
	// have to put back.
	innerFor = time.Minute
)

// patience is how long the guard may take for what it has to do now: it plays one
// revert after the other, ends the commands that still run before them and all
// processes after them. The last summand is for what it does besides.
func (w *watch) patience() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(len(w.order))*w.revertFor + 2*sweepFor + innerFor + 15*time.Second
}

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
	_ = os.Unsetenv(guardVar) // for what it starts
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
	if err := json.NewEncoder(out).Encode(report); err != nil && len(report.Errors) > 0 {
		w.leave(report.Errors) // nobody is left to tell
	}
	return nil
}

// watch is what the guard knows of the run.
type watch struct {
	run string

	mu       sync.Mutex
	known    []proc.ID
	commands []proc.ID // of faults and reverts, while they run
	order    []string  // open faults, oldest first
	reverts  map[string]chaos.Revert
	folders  []string
	kept     []string // folders that stay

	// revertFor bounds each revert. The guard gives it no less time than the
	// controller does: what is slow in a good end must not fail in a bad one.
	revertFor time.Duration
}

func newWatch(run string) *watch {
	return &watch{run: run, reverts: map[string]chaos.Revert{}, revertFor: chaos.RevertTimeout}
}

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
	case n.Kept != "":
		w.kept = append(w.kept, n.Kept)
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
		ctx, cancel := context.WithTimeout(context.Background(), w.revertFor)
		if err := w.reverts[id].Play(ctx, nil); err != nil {
			report.Errors = append(report.Errors, fmt.Sprintf("%s: %v", id, err))
		} else {
			report.Reverted = append(report.Reverted, id)
		}
		cancel()
	}
	w.sweep(&report)
	for _, folder := range w.kept {
		backend.Release(folder)
	}
	for _, folder := range w.folders {
		backend.Release(folder)
		if err := os.RemoveAll(folder); err != nil {
			report.Errors = append(report.Errors, err.Error())
		}
	}
	return report
}

// endCommands ends the commands that still run, before their faults are undone: a
// revert must work neither against its fault nor beside itself.
func (w *watch) endCommands(report *GuardReport) {
	killed := map[proc.ID]bool{}
	for deadline := time.Now().Add(sweepFor); len(w.commands) > 0 && time.Now().Before(deadline); {
		table, err := proc.ReadTable()
		if err != nil {
			return // sweep tells of it
		}
		w.commands = slices.DeleteFunc(w.commands, func(id proc.ID) bool { return !table.Holds(id) })
		left := table.OfRun("", w.commands)
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			if !slices.Contains(w.commands, p.ID) { // its parent may be gone at the next look
				w.commands = append(w.commands, p.ID)
			}
		}
		report.kill(left, killed)
		time.Sleep(time.Millisecond) // for the kernel to tear them down
	}
}

// kill kills processes and notes those that are not in killed yet.
func (r *GuardReport) kill(list []proc.Info, killed map[proc.ID]bool) {
	for _, p := range list {
		if err := proc.Signal(p.ID, os.Kill); err == nil && !killed[p.ID] {
			killed[p.ID] = true
			r.Ended = append(r.Ended, nameOf(p))
		}
	}
}

// sweep kills the run's processes until none is left: while it looks, one may
// still start another. A run that was played within this one has a guard of its own,
// which now puts back what that run broke: it is let finish.
func (w *watch) sweep(report *GuardReport) {
	killed := map[proc.ID]bool{}
	inner := time.Now().Add(innerFor)
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
			report.Errors = append(report.Errors, fmt.Sprintf("processes of the run could not be ended (%d), %s among them", len(left), nameOf(left[0])))
			return
		}
		pause := time.Millisecond // for the kernel to tear them down
		if spared := w.innerGuards(table, left); len(spared) > 0 && time.Now().Before(inner) {
			left = slices.DeleteFunc(left, func(p proc.Info) bool { return spared[p.ID] })
			deadline, pause = time.Now().Add(sweepFor), 10*time.Millisecond
		}
		report.kill(left, killed)
		time.Sleep(pause)
	}
}

// innerGuards finds the guards of other runs among list, and the reverts that they
// are playing.
func (w *watch) innerGuards(table proc.Table, list []proc.Info) map[proc.ID]bool {
	found := map[proc.ID]bool{}
	for _, p := range list {
		if run := proc.Environ(p.PID, guardVar); run != "" && run != w.run {
			for _, member := range table.Tree(p.ID) {
				found[member.ID] = true
			}
		}
	}
	return found
}

// leave writes down what could not be put back, beside the run's folder or, if that
// cannot be written to, in the working directory.
func (w *watch) leave(failed []string) {
	text := time.Now().Format(time.RFC3339) + ": a run of hachaos was killed, and its guard could not put everything back. Do it by hand:\n"
	for _, what := range failed {
		text += "- " + what + "\n"
	}
	for _, dir := range []string{os.TempDir(), "."} {
		if os.WriteFile(filepath.Join(dir, "hachaos-"+w.run+"-not-put-back.txt"), []byte(text), 0o600) == nil {
			return
		}
	}
}

func nameOf(p proc.Info) string { return fmt.Sprintf("%s (pid %d)", p.Name, p.PID) }

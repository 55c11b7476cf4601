package scenarios

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/targets/proc"
)

// guardNote is one line of the journal that the controller writes to its guard.
type guardNote struct {
	Run     string        `json:"run,omitempty"`     // the first line: the run's id
	Folder  string        `json:"folder,omitempty"`  // a folder of the run, to be removed at the end
	Kept    string        `json:"kept,omitempty"`    // one that stays
	Process *proc.ID      `json:"process,omitempty"` // a process that the controller started
	Command *proc.ID      `json:"command,omitempty"` // a command of a fault or a revert that is running
	Ended   *proc.ID      `json:"ended,omitempty"`   // one that has ended
	Open    string        `json:"open,omitempty"`    // a fault that is about to be injected
	Revert  *chaos.Revert `json:"revert,omitempty"`  // and how it is undone
	Close   string        `json:"close,omitempty"`   // a fault that has been undone
}

// GuardReport says what the guard found to do at the end of a run: nothing, if
// all went well.
type GuardReport struct {
	Reverted []string `json:"reverted,omitempty"` // faults it undid
	Ended    []string `json:"ended,omitempty"`    // processes it killed: "node (pid 4711)"
	Errors   []string `json:"errors,omitempty"`
}

// Guard is the controller's end of its guard, a process that outlives it: when
// the controller ends, however it ends, the guard undoes the faults in force and
// ends every process of the run.
type Guard struct {
	process *proc.Process
	journal *os.File // the write end of the pipe, which only the controller has
	answer  *os.File

	mu     sync.Mutex
	closed bool

	notes *watch // what the guard was told, in case it ends
}

// guardVar is an environment variable that tells a guard from other processes: its
// run's id. What a guard starts does not inherit it.
const guardVar = "HACHAOS_GUARD"

// upFor bounds how long a guard may take to come up.
const upFor = 45 * time.Second

// StartGuard starts the guard of a run. command is how a guard is started:
// hachaos itself with the word "guard".
func StartGuard(command []string, run string) (*Guard, error) {
	in, journal, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	defer in.Close()
	answer, out, err := os.Pipe()
	if err != nil {
		journal.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	defer out.Close()
	// A session of its own: what ends the controller's terminal or process group
	// must not end the guard.
	p, err := proc.Start(proc.Command{Path: command[0], Args: command[1:], Env: []string{guardVar + "=" + run}, Stdin: in, Stdout: out, Session: true})
	if err != nil {
		journal.Close()
		answer.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	g := &Guard{process: p, journal: journal, answer: answer, notes: newWatch(run)}
	// It answers once it reads, so that nothing is started unguarded.
	if err := errors.Join(g.note(guardNote{Run: run}), g.awaitReady()); err != nil {
		journal.Close()
		answer.Close()
		p.Kill()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return g, nil
}

func (g *Guard) awaitReady() error {
	if err := g.answer.SetReadDeadline(time.Now().Add(upFor)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	ready := make([]byte, 1)
	if _, err := g.answer.Read(ready); err != nil {
		return fmt.Errorf("it did not come up: %w", err)
	}
	return nil
}

// Open implements [chaos.Journal].
func (g *Guard) Open(id string, r chaos.Revert) error {
	return g.note(guardNote{Open: id, Revert: &r})
}

// Close implements [chaos.Journal].
func (g *Guard) Close(id string) error { return g.note(guardNote{Close: id}) }

// Process notes a process that the controller started.
func (g *Guard) Process(id proc.ID) error { return g.note(guardNote{Process: &id}) }

// Command notes a command of a fault or a revert that is running: it is ended with
// its process group if it still does at the end of the run. What it started for
// good is not.
func (g *Guard) Command(id proc.ID) error { return g.note(guardNote{Command: &id}) }

// CommandEnded strikes out a command that has ended.
func (g *Guard) CommandEnded(id proc.ID) error { return g.note(guardNote{Ended: &id}) }

// Folder notes a folder that is removed at the end, with what its servers have left
// elsewhere.
func (g *Guard) Folder(path string) error { return g.note(guardNote{Folder: path}) }

// Kept notes a folder that stays; only what its servers have left elsewhere goes.
func (g *Guard) Kept(path string) error { return g.note(guardNote{Kept: path}) }

// note writes one line. It is safe once written: the kernel keeps it for the
// guard even if this process ends the next moment.
func (g *Guard) note(n guardNote) error {
	line, err := json.Marshal(n)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.New("the guard has been dismissed")
	}
	g.notes.take(n)
	if _, err := g.journal.Write(append(line, '\n')); err != nil {
		return errors.New("the guard has ended")
	}
	return nil
}

// Dismiss ends the run as far as the guard is concerned: what is still in force
// is undone, what still runs is ended. It returns what there was to do.
func (g *Guard) Dismiss() (GuardReport, error) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return GuardReport{}, nil
	}
	g.closed = true
	g.mu.Unlock()
	g.journal.Close()
	defer g.answer.Close()
	patience := g.notes.patience()
	if err := g.answer.SetReadDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return GuardReport{}, err
	}
	var report GuardReport
	if err := json.NewDecoder(bufio.NewReader(g.answer)).Decode(&report); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return report, fmt.Errorf("the guard did not finish within %v", patience)
		}
		return report, errors.New("the guard ended before the run did")
	}
	<-g.process.Done()
	return report, nil
}

// OnEnd calls f if the guard ends while the run goes on. The function that it
// returns calls that off.
func (g *Guard) OnEnd(f func()) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-g.process.Done():
			f()
		case <-stopped:
		}
	}()
	return func() {
		close(stopped)
		<-done
	}
}

// standIn does the guard's work in this process, after the guard itself has
// failed to.
func (g *Guard) standIn() GuardReport {
	// Frozen it starts no revert while we look which one it is playing: that one is
	// not to go on beside ours.
	if stop, err := proc.ParseSignal("SIGSTOP"); err == nil {
		_ = g.process.Signal(stop) // it may have ended
	}
	if table, err := proc.ReadTable(); err == nil {
		for _, p := range table.Tree(g.process.ID()) {
			g.notes.take(guardNote{Command: &p.ID})
		}
	}
	g.process.Kill()
	return g.notes.end()
}

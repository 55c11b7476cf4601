// Package proc starts processes, finds them again and ends them. It is a leaf:
// every other package may import it, and all processes of hachaos are started
// here.
//
// A process is named by an [ID], its pid together with its start time, because
// a pid alone may belong to a stranger a moment later: nothing here signals a
// process whose start time is not the one that was recorded. Start reading at
// [Start], and at [Converse] for a process to talk to; the process table is in
// table.go.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// RunVar is the environment variable that carries a run's id into every
// process of the run, so that none can be lost.
const RunVar = "HACHAOS_RUN"

// Command says how to start a process.
type Command struct {
	Path  string   // program: a path, or a name that is looked up in PATH
	Args  []string // arguments, without the program's name
	Env   []string // "NAME=value", added to what it inherits of this process's environment
	Dir   string   // working directory; "" is this process's own
	Stdin *os.File // nil: empty
	// Stdout and Stderr may be nil (thrown away), and the same file.
	Stdout, Stderr *os.File
	Files          []*os.File // inherited as descriptors 3, 4, …
	// Session puts it into a session of its own, out of reach of the terminal's
	// signals and of signals to this process's group. Without it, it gets a
	// process group of its own within this session.
	Session bool
	// User is the name of the user that it runs as; "" is this process's own.
	// Only root can choose, and only on Unix. Another user inherits where programs
	// and libraries are, the language and the time zone, and none of the secrets
	// that the environment may hold.
	User string
}

// Process is a running or ended child of this process.
type Process struct {
	id   ID
	cmd  *exec.Cmd
	done chan struct{}
	exit Exit // written before done is closed
}

// Start starts a process. The error names the program.
func Start(c Command) (*Process, error) {
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = append(c.inherited(), c.Env...)
	cmd.Dir = c.Dir
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	cmd.ExtraFiles = c.Files
	detach(cmd, c.Session)
	if c.User != "" {
		if err := become(cmd, c.User); err != nil {
			return nil, fmt.Errorf("start %s: %w", c.Path, err)
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, startError(c, err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	// It cannot be reaped before Wait, so its pid still is its own here.
	p.id = ID{PID: cmd.Process.Pid}
	if info, err := Lookup(cmd.Process.Pid); err == nil {
		p.id = info.ID
	}
	go p.wait()
	return p, nil
}

// inherited is what a process gets of this one's environment.
func (c Command) inherited() []string {
	if c.User == "" {
		return os.Environ()
	}
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !strings.HasPrefix(name, "LC_") && !slices.Contains([]string{"PATH", "LD_LIBRARY_PATH", "LANG", "LANGUAGE", "TZ"}, name)
	})
}

func startError(c Command, err error) error {
	var missing *exec.Error
	switch {
	case errors.As(err, &missing) && errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("start %s: no such program in PATH", c.Path)
	case errors.Is(err, os.ErrNotExist) && c.Dir != "":
		return fmt.Errorf("start %s in %s: %w", c.Path, c.Dir, os.ErrNotExist)
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("start %s: %w", c.Path, err)
}

func (p *Process) wait() {
	_ = p.cmd.Wait() // what it says is in ProcessState
	p.exit = exitOf(p.cmd.ProcessState)
	close(p.done)
}

// ID names the process.
func (p *Process) ID() ID { return p.id }

// PID is the process id.
func (p *Process) PID() int { return p.id.PID }

// Done is closed once the process has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how it ended. It waits until Done is closed.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

// Signal sends a signal to the process itself. [os.ErrProcessDone] says that it
// has ended.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Stop asks the process to end (SIGTERM; on Windows it is ended at once), waits,
// and kills it when ctx ends. It returns once the process was reaped, and says
// whether force was needed.
func (p *Process) Stop(ctx context.Context) (forced bool) {
	_ = p.Signal(terminate)
	// A frozen process cannot end; thawing one that is not does nothing.
	_ = thaw(p)
	select {
	case <-p.done:
		return false
	case <-ctx.Done():
		p.Kill()
		return true
	}
}

// Kill kills the process and waits until it was reaped.
func (p *Process) Kill() {
	_ = p.Signal(os.Kill)
	<-p.done
}

// Exit says how a process ended and what it had used.
type Exit struct {
	Code   int           // exit status; -1 if a signal ended it
	Signal string        // name of the signal that ended it, "SIGKILL"; else ""
	CPU    time.Duration // of the process and the children it has waited for
	RSSMax int64         // bytes; 0 where the system does not say
}

// Failed tells whether it ended otherwise than with status 0.
func (e Exit) Failed() bool { return e.Code != 0 }

// String says it in words: "exit status 1", "killed by SIGKILL".
func (e Exit) String() string {
	if e.Signal != "" {
		return "killed by " + e.Signal
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Tail returns the last lines of a log file, at most n of them and at most
// 4 KiB, without the final line break; "" if there are none.
func Tail(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	return TailOf(f, n)
}

// WithTail adds the last lines of a log file to an error, if there are any.
func WithTail(err error, path string) error {
	if tail := Tail(path, 5); tail != "" {
		return fmt.Errorf("%w; it printed last:\n%s", err, tail)
	}
	return err
}

// TailOf is [Tail] of a file that is open, wherever its offset is.
func TailOf(f *os.File, n int) string {
	const most = 4 << 10
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	b, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-most), most))
	if err != nil {
		return ""
	}
	return lastLines(string(b), n)
}

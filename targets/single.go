package targets

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// drainTime is how long a single process may drain, as a worker of a cluster
// by default.
const drainTime = 5 * time.Second

// Single is the reference application as one process, with or without a plain
// supervisor that starts it again, on the same port, when it has failed: at once
// if it had lived a second, else by the backoff that workers of a cluster have
// by default.
type Single struct {
	config SingleConfig
	opts   Options
	log    string
	done   chan struct{} // closed when it has ended for good
	stop   chan struct{} // closed when it is to be stopped
	wg     sync.WaitGroup

	page     *page.Page
	counters *counters
	address  string

	mu   sync.Mutex
	life *life // nil before Start
	err  error // why it ended
}

// life is one process of a single target.
type life struct {
	*proc.Process
	entry *page.Entry
	began clock.Time
	input *os.File // its standard input: orders, and its lifeline
	heard chan app.Listening
}

// NewSingle returns a single target that has not been started.
func NewSingle(config SingleConfig, opts Options) *Single {
	config.SetDefaults()
	return &Single{
		config: config,
		opts:   opts,
		log:    filepath.Join(opts.Folder, "single.log"),
		done:   make(chan struct{}),
		stop:   make(chan struct{}),
	}
}

// Start implements [Target]. The process listens when it returns.
func (s *Single) Start(ctx context.Context) error {
	p, err := page.Create(filepath.Join(s.opts.Folder, "single.page"))
	if err != nil {
		return fmt.Errorf("start the single process: %w", err)
	}
	s.page, s.counters = p, newCounters(p, func(int) string { return "single" })
	s.address = "127.0.0.1:0"
	l, err := s.launch(1)
	if err != nil {
		s.counters.close()
		return fmt.Errorf("start the single process: %w", err)
	}
	select {
	case said, ok := <-l.heard:
		if ok {
			s.address = said.Address
			s.listens(l)
			s.wg.Go(func() { s.supervise(l) })
			return nil
		}
		err = fmt.Errorf("start the single process: it ended before it listened: %s", l.Exit())
	case <-ctx.Done():
		l.Kill()
		err = fmt.Errorf("start the single process: it does not listen: %w", ctx.Err())
	}
	l.input.Close()
	s.wg.Wait()
	s.counters.close()
	return withTail(err, s.log)
}

// errStopping says that no process is started any more.
var errStopping = errors.New("the target is being stopped")

// launch starts a process; it says on heard where it listens, or closes it.
func (s *Single) launch(n int) (*life, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return nil, errStopping
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	in, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	output, out, err := os.Pipe()
	if err != nil {
		input.Close()
		return nil, err
	}
	defer out.Close()
	index, entry := s.page.Add(1, n, 1, n-1)
	l := &life{entry: entry, began: clock.Now(), input: input, heard: make(chan app.Listening, 1)}
	l.Process, err = proc.Start(proc.Command{
		Path:  s.opts.Self[0],
		Args:  append(slices.Clone(s.opts.Self[1:]), "worker", "--single"),
		Env:   append(slices.Clone(s.opts.Env), "GOMAXPROCS="+strconv.Itoa(s.config.Threads)),
		Stdin: in, Stdout: out, Stderr: log,
	})
	if err != nil {
		input.Close()
		output.Close()
		return nil, err
	}
	entry.Start(l.ID())
	if s.opts.OnStart != nil {
		s.opts.OnStart(l.ID())
	}
	s.wg.Go(func() {
		defer output.Close()
		defer close(l.heard)
		var said app.Listening
		if json.NewDecoder(bufio.NewReader(output)).Decode(&said) == nil {
			l.heard <- said
		}
	})
	// The pipe holds it even if nobody reads; if the process has ended by now,
	// that is seen elsewhere.
	_ = json.NewEncoder(input).Encode(app.Single{
		Config: s.config.App, Threads: s.config.Threads, Listen: s.address, Seed: s.opts.Seed, Life: n,
		Page: filepath.Join(s.opts.Folder, "single.page"), Index: index,
		Drain: drainTime, Lifeline: cluster.Lifeline,
	})
	s.life = l
	return l, nil
}

// listens notes that a process takes requests.
func (s *Single) listens(l *life) {
	l.entry.SetReady(true)
	s.observe(1, fmt.Sprintf("process %d listens after %s", l.PID(), units.FormatDuration(clock.Since(l.began))))
}

func (s *Single) observe(ready int, what string) {
	if s.opts.Observe != nil {
		s.opts.Observe(Change{At: clock.Now(), Ready: ready, Source: "single", What: what})
	}
}

// supervise watches one life after the other, until the last has ended. The
// first one listens already.
func (s *Single) supervise(l *life) {
	var defaults cluster.Config
	defaults.SetDefaults()
	backoff := cluster.NewBackoff(defaults.Restart)
	restart := cluster.Restart{When: s.config.Restart}
	for n := 2; ; n++ {
		exit := s.watch(l)
		if s.stopping() {
			return
		}
		if !restart.Replaces(exit.Failed()) {
			s.end(withTail(fmt.Errorf("the single process (pid %d) ended: %s", l.PID(), exit), s.log))
			return
		}
		if !s.pause(backoff.Next(clock.Since(l.began))) {
			return
		}
		next, err := s.launch(n)
		if errors.Is(err, errStopping) {
			return
		}
		if err != nil {
			s.end(fmt.Errorf("start the single process again: %w", err))
			return
		}
		l = next
	}
}

// watch waits for a life's end, noting when it begins to listen.
func (s *Single) watch(l *life) proc.Exit {
	heard := l.heard
	for {
		select {
		case _, ok := <-heard:
			if ok && !l.entry.Process().Ready {
				s.listens(l)
			}
			heard = nil
		case <-l.Done():
			exit := l.Exit()
			l.entry.End(exit)
			l.input.Close()
			if !s.stopping() {
				s.observe(0, fmt.Sprintf("process %d %s", l.PID(), inWords(exit)))
			}
			return exit
		case <-s.stop:
			<-l.Done() // Stop ends it
		}
	}
}

// inWords says how a process ended: "was killed by SIGKILL".
func inWords(x proc.Exit) string {
	if x.Signal != "" {
		return "was " + x.String()
	}
	return "ended with " + x.String()
}

// pause waits, and returns false if the target is to be stopped meanwhile.
func (s *Single) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return !s.stopping()
	case <-s.stop:
		return false
	}
}

func (s *Single) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

func (s *Single) end(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	close(s.done)
}

// URL implements [Target].
func (s *Single) URL() string { return "http://" + s.address + "/" }

// Done implements [Target]. A process that is started again has not ended.
func (s *Single) Done() <-chan struct{} { return s.done }

// Err implements [Target].
func (s *Single) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stop implements [Target]. What was counted can be asked for afterwards.
func (s *Single) Stop(ctx context.Context) error {
	if s.current() == nil || s.stopping() {
		return nil
	}
	s.counters.usages() // while they can be measured
	s.mu.Lock()
	close(s.stop)
	s.mu.Unlock()
	s.current().Process.Stop(ctx) // none comes after it
	s.wg.Wait()
	s.counters.close()
	return nil
}

func (s *Single) current() *life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life
}

// Log is the file that the process's output goes to.
func (s *Single) Log() string { return s.log }

// Main returns the process; false if there is none at the moment.
func (s *Single) Main() (proc.ID, bool) {
	workers := s.counters.workers()
	if len(workers) == 0 {
		return proc.ID{}, false
	}
	return workers[0].ID, true
}

// Slots is 1: the process itself is the one worker.
func (s *Single) Slots() int { return 1 }

// Workers lists the process while it lives.
func (s *Single) Workers() ([]Worker, error) { return s.counters.workers(), nil }

// All lists the process while it lives.
func (s *Single) All() ([]proc.Info, error) {
	var all []proc.Info
	for _, w := range s.counters.workers() {
		if info, err := proc.Lookup(w.PID); err == nil && info.ID == w.ID {
			all = append(all, info)
		}
	}
	return all, nil
}

// Exit lets the process end itself at once with an exit code, as if it had
// crashed. Its only slot is 1.
func (s *Single) Exit(_ context.Context, slot, code int) error {
	l := s.current()
	if slot != 1 || l == nil {
		return fmt.Errorf("exit: the single process has no slot %d", slot)
	}
	if _, err := fmt.Fprintf(l.input, "exit %d\n", code); errors.Is(err, os.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return fmt.Errorf("exit: the process: %w", os.ErrProcessDone)
	} else if err != nil {
		return fmt.Errorf("exit: %w", err)
	}
	return nil
}

// Usages returns what each process that ever ran has used.
func (s *Single) Usages() []Usage { return s.counters.usages() }

// Served returns how many requests each process that ever ran has served, by
// pid.
func (s *Single) Served() map[int]int64 { return s.counters.served() }

// withTail adds the last lines of a log to an error.
func withTail(err error, log string) error {
	if tail := proc.Tail(log, 5); tail != "" {
		return fmt.Errorf("%w; it printed last:\n%s", err, tail)
	}
	return err
}

package targets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hachaos/hachaos/targets/app"
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

	stderr   *os.File // its log; opened once, since a disk that stalls must hold up no restart
	page     *page.Page
	counters *counters
	address  string

	mu   sync.Mutex
	life *life // nil before Start
	err  error // why it ended
}

// NewSingle returns a single target that has not been started.
func NewSingle(config SingleConfig, opts Options) *Single {
	config.SetDefaults()
	return &Single{
		config:   config,
		opts:     opts,
		log:      filepath.Join(opts.Folder, "single.log"),
		done:     make(chan struct{}),
		stop:     make(chan struct{}),
		counters: newCounters(func(int) string { return "single" }),
	}
}

// Start implements [Target]. The process listens when it returns.
func (s *Single) Start(ctx context.Context) error {
	var err error
	if s.stderr, err = os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return fmt.Errorf("start the single process: %w", err)
	}
	if s.page, err = page.New(filepath.Join(s.opts.Folder, "single.page")); err != nil {
		s.stderr.Close()
		return fmt.Errorf("start the single process: %w", err)
	}
	s.counters.open(s.page)
	s.address = "127.0.0.1:0"
	l, err := s.launch(1)
	if err != nil {
		s.close()
		return fmt.Errorf("start the single process: %w", err)
	}
	var said app.Listening
	if err := l.Hear(ctx, &said); err != nil {
		l.Kill()
		l.HangUp()
		s.close()
		return proc.WithTail(fmt.Errorf("start the single process: it does not listen: %w", err), s.log)
	}
	s.address = said.Address
	s.listens(l)
	s.wg.Go(func() { s.supervise(l) })
	return nil
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
	err := stopMain(ctx, s.current().Process) // none comes after it
	s.wg.Wait()
	s.close()
	return err
}

func (s *Single) close() {
	s.counters.close()
	s.stderr.Close()
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
	if err := l.Say(fmt.Sprintf("exit %d", code)); err != nil {
		return fmt.Errorf("exit: the process: %w", err)
	}
	return nil
}

// Usages returns what each process that ever ran has used.
func (s *Single) Usages() []Usage { return s.counters.usages() }

// Served returns how many requests each process that ever ran has served, by
// pid.
func (s *Single) Served() map[int]int64 { return s.counters.served() }

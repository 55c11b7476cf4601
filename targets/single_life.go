package targets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// life is one process of a single target.
type life struct {
	*proc.Talk
	entry *page.Entry
	began clock.Time
}

// errStopping says that no process is started any more.
var errStopping = errors.New("the target is being stopped")

// launch starts a process, which says where it listens once it does.
func (s *Single) launch(n int) (*life, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return nil, errStopping
	}
	index, entry := s.page.Add(1, n, 1, n-1)
	l := &life{entry: entry, began: clock.Now()}
	var files []*os.File
	if s.page.Path() == "" {
		files = append(files, s.page.File())
	}
	var err error
	l.Talk, err = proc.Converse(proc.Command{
		Path:   s.opts.Self[0],
		Args:   append(slices.Clone(s.opts.Self[1:]), "worker", "--single"),
		Env:    append(slices.Clone(s.opts.Env), "GOMAXPROCS="+strconv.Itoa(s.config.Threads)),
		Stderr: s.stderr,
		Files:  files,
	})
	if err != nil {
		return nil, err
	}
	entry.Start(l.ID())
	if s.opts.OnStart != nil {
		s.opts.OnStart(l.ID())
	}
	// If the process has ended by now, that is seen elsewhere.
	_ = l.Tell(app.Single{
		Config: s.config.App, Threads: s.config.Threads, Listen: s.address, Seed: s.opts.Seed, Life: n,
		Page: s.page.Path(), Index: index,
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
			s.end(proc.WithTail(fmt.Errorf("the single process (pid %d) ended: %s", l.PID(), exit), s.log))
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
	heard := make(chan error, 1)
	if !l.entry.Process().Ready {
		s.wg.Go(func() { heard <- l.Hear(context.Background(), &app.Listening{}) })
	}
	for {
		select {
		case err := <-heard:
			if err == nil {
				s.listens(l)
			}
		case <-l.Done():
			exit := l.Exit()
			l.entry.End(exit)
			l.HangUp()
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

package targets

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	*proc.Process
	entry *page.Entry
	began clock.Time
	input *os.File // its standard input: orders, and its lifeline
	heard chan app.Listening
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

//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// RunStandby waits until its master, which alone can start it, needs a successor,
// and then is master until the cluster stops. It takes over at once when its
// connection to the master ends; when the master has been silent for a second,
// only once it has killed it: there are never two. It returns nil also when the
// master has no use for it any more.
func RunStandby(ctx context.Context, log *slog.Logger) error {
	if _, ok := os.LookupEnv(standbyVar); !ok {
		return errors.New("a standby is started by its master (run hachaos cluster with standby)")
	}
	if err := os.Unsetenv(standbyVar); err != nil {
		return err
	}
	var c standbyConfig
	told := os.NewFile(standbyConfigFD, "configuration")
	err := json.NewDecoder(told).Decode(&c)
	told.Close()
	if err != nil {
		return fmt.Errorf("read the standby's configuration: %w", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGUSR2)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)
	s, err := newStandbyProcess(c, log)
	if err != nil {
		return err
	}
	defer s.wire.close()
	held := hold(signals)
	why, err := s.await()
	fresh := held.release(log)
	if err != nil || why == "" {
		if s.active != nil {
			s.active.end(c.Config.passTime(s.goesOn), s.goesOn, s.wire)
		}
		return err
	}
	for _, sig := range fresh {
		select {
		case signals <- sig:
		default: // there are others enough
		}
	}
	return s.rule(ctx, signals, why)
}

// standbyProcess is a standby from within.
type standbyProcess struct {
	standbyConfig
	log    *slog.Logger
	wire   *wire
	estate *estate
	master *pidfd  // nil: it has ended
	active *active // nil: it accepts nothing yet

	heard   bool  // something
	retired bool  // by the master
	goesOn  bool  // without this one
	asked   bool  // by the master to take over
	given   []int // connections that the master had
}

func newStandbyProcess(c standbyConfig, log *slog.Logger) (*standbyProcess, error) {
	s := &standbyProcess{standbyConfig: c, log: log}
	var err error
	// While it is this one's parent its pid is its own.
	if s.master, err = openPidfd(c.Master); err != nil && os.Getppid() == c.Master {
		return nil, err
	}
	if s.master != nil && os.Getppid() != c.Master {
		s.master.close()
		s.master = nil
	}
	if s.wire, err = wireOf(os.NewFile(standbyWireFD, "wire")); err != nil {
		return nil, err
	}
	if s.estate, err = inherit(c.Dir, c.Will); err != nil {
		return nil, err
	}
	s.estate.secrets, s.estate.second = c.Secrets, c.Second
	if c.Config.Standby == "active" {
		if s.active, err = s.newActive(); err != nil {
			return nil, err
		}
	}
	return s, s.wire.send(frame{kind: standing}, -1)
}

// await returns why this process is to be master now; "" if it is not.
func (s *standbyProcess) await() (why string, err error) {
	for silent := 0; ; {
		s.wire.deadline(time.Now().Add(missedBeats))
		s.heard = false
		err := s.wire.hear(s.handle)
		if s.heard {
			silent = 0
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.heard = false
			s.wire.look(s.handle)
			if s.heard && !s.asked && !s.retired {
				continue // it was this process that was late
			}
			if silent++; silent < starvedBeats && starved(s.Master) {
				continue
			}
		}
		switch {
		case s.retired:
			return "", nil
		case s.asked:
			if s.master != nil {
				s.master.close()
			}
			return "the master asked for it", nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			why = fmt.Sprintf("the master was silent for %s and was killed", missedBeats)
		default:
			why = "the master ended"
		}
		return why, s.endMaster()
	}
}

func (s *standbyProcess) handle(f frame, fd int) error {
	s.heard = true // and so was the master
	s.wire.deadline(time.Now().Add(missedBeats))
	switch f.kind {
	case beat:
		s.Slots = int(f.x)
	case handed:
		s.given = append(s.given, fd)
	case retire:
		s.retired, s.goesOn = true, f.x == 1
		return errEnoughHeard
	case take:
		s.Slots, s.asked = int(f.x), true
		return errEnoughHeard
	}
	return nil
}

// endMaster makes sure that the master has ended.
func (s *standbyProcess) endMaster() error {
	if s.master == nil {
		return nil
	}
	defer s.master.close()
	if err := s.master.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the master that is silent: %w", err)
	}
	return s.master.wait()
}

// rule is master from now on.
func (s *standbyProcess) rule(ctx context.Context, signals <-chan os.Signal, why string) error {
	o := Options{Config: s.Config, Dir: s.Dir, Seed: s.Seed, Command: s.Command, Standby: s.Standby, Lifeline: s.Lifeline, Log: s.log}
	o.setDefaults()
	if err := s.estate.enter(); err != nil {
		return err
	}
	if s.active != nil {
		s.active.yield()
		s.estate.begun, s.estate.reached = s.active.dispatch, s.active.reached()
	}
	m, err := newMaster(o, s.estate, s.Slots)
	if err != nil {
		return err
	}
	defer m.close()
	m.announce("process %d is master now: %s", os.Getpid(), why)
	m.adopt()
	if s.active != nil {
		s.active.forget()
	}
	if h, ok := m.dispatch.(*handoff); ok {
		for _, fd := range s.given {
			h.arrive(fd)
		}
	}
	if s.asked {
		_ = s.wire.send(frame{kind: took}, -1) // the old master may have no time to listen
	}
	return m.run(ctx, signals)
}

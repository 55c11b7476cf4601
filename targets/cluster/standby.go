//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/hachaos/hachaos/targets/proc"
	"golang.org/x/sys/unix"
)

const (
	// beatEvery is how often a master tells its standby that it is there, and
	// missedBeats the silence after which the standby ends it.
	beatEvery   = 200 * time.Millisecond
	missedBeats = time.Second
	// starvedBeats is how often as long a master may be silent that waits for
	// nothing but a processor.
	starvedBeats = 5
	// standbyPause is the time between the end of a standby and the next one.
	standbyPause = time.Second
	// standTimeout is how long a standby may take to stand ready, and then to take
	// over or to leave.
	standTimeout = 10 * time.Second
)

// standbyVar is the environment variable that tells a standby what it is. All else
// it reads from a pipe: others may read a process's environment, and it goes on to
// each process that is started, while some of this is secret.
const standbyVar = "HACHAOS_STANDBY"

// standbyConfig is what a standby is told.
type standbyConfig struct {
	Config   Config        `json:"config"`
	Will     will          `json:"will"`
	Secrets  secrets       `json:"secrets"`
	Second   bool          `json:"second"` // it offers connections as the second one
	Master   int           `json:"master"` // pid
	Slots    int           `json:"slots"`
	Dir      string        `json:"dir"`
	Seed     uint64        `json:"seed"`
	Command  []string      `json:"command"`
	Standby  []string      `json:"standby"`
	Lifeline time.Duration `json:"lifeline"`
}

// standby is the standby as its master sees it.
type standby struct {
	*proc.Process
	wire     *wire
	slots    []int         // of the listeners that it has
	standing chan struct{} // closed when it has all that it needs
	took     chan struct{} // closed when it is master
	silent   chan struct{} // closed when all that it said has been heard
}

// keepStandby has a standby at all times, until alone is closed or loop ends, and
// closes bereft when there is none any more.
func (m *master) keepStandby(alone <-chan struct{}, bereft chan<- struct{}) {
	defer close(bereft)
	for {
		s, err := m.startStandby(m.Standby, m.Command)
		if err != nil {
			m.Log.Error("there is no standby", "error", err)
		} else {
			equipped := m.beat(s, alone)
			goesOn := false
			m.ask(func() { goesOn = !m.stopping })
			m.dismiss(s, goesOn)
			if !equipped {
				continue // it lacks a listener
			}
		}
		select {
		case <-alone:
			return
		case <-m.done:
			return
		case <-time.After(standbyPause):
		}
	}
}

// startStandby starts a standby by the given command, which will start workers by
// another one.
func (m *master) startStandby(command, workers []string) (s *standby, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start a standby: %w", err)
		}
	}()
	if err := standbySupported(); err != nil {
		return nil, err
	}
	ours, theirs, err := wirePair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	w, files, err := m.bequeath(theirs)
	if err != nil {
		ours.close()
		return nil, err
	}
	defer closeAll(files)
	slots := 0
	m.ask(func() { slots = len(m.slots) })
	text, err := json.Marshal(standbyConfig{
		Config: m.Config, Will: w, Secrets: m.secrets, Second: !m.second, Master: os.Getpid(), Slots: slots, Dir: m.Dir, Seed: m.Seed,
		Command: workers, Standby: command, Lifeline: m.Lifeline,
	})
	if err != nil {
		ours.close()
		return nil, err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		ours.close()
		return nil, err
	}
	defer told.Close()
	p, err := proc.Start(proc.Command{
		Path: command[0], Args: command[1:], Env: []string{standbyVar + "=1"},
		Stdout: m.Output, Stderr: m.Output, Files: append([]*os.File{told}, files...),
	})
	if err != nil {
		ours.close()
		tell.Close()
		return nil, err
	}
	m.wg.Go(func() {
		defer tell.Close()
		_ = tell.SetWriteDeadline(time.Now().Add(standTimeout)) // a pipe has one
		_, _ = tell.Write(text)                                 // one that does not read it never stands ready
	})
	s = &standby{Process: p, wire: ours, slots: w.Slots, standing: make(chan struct{}), took: make(chan struct{}), silent: make(chan struct{})}
	m.wg.Go(func() {
		defer close(s.silent)
		m.hear(s)
	})
	return s, nil
}

// hear hears what a standby says until it ends.
func (m *master) hear(s *standby) {
	_ = s.wire.hear(func(f frame, fd int) error { // it ends when the standby does
		switch f.kind {
		case standing:
			m.Log.Info("a standby is ready", "pid", s.PID())
			close(s.standing)
		case took:
			close(s.took)
		case handed: // back, since it retires
			switch h, ok := m.dispatch.(*handoff); {
			case fd < 0:
			case ok:
				h.arrive(fd)
			default:
				unix.Close(fd)
			}
		case introduce:
			if fd >= 0 && !m.ask(func() { m.present(int(f.x), int(f.n), fd) }) {
				unix.Close(fd)
			}
		}
		return nil
	})
}

// beat tells a standby that its master is there, as long as loop is. It returns
// true when the standby has ended or is to end, also since it has not listened for
// hundreds of beats; false if it is to be replaced because the listeners are
// others now.
func (m *master) beat(s *standby, alone <-chan struct{}) bool {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		outdated, deaf := false, false
		if !m.ask(func() {
			now, _ := m.dispatch.bequeath()
			outdated = !slices.Equal(now, s.slots)
			m.heir = s
			deaf = errors.Is(m.beatOnce(), errFull) // its end is seen below
		}) {
			return true
		}
		if deaf {
			m.Log.Warn("the standby is replaced: it is frozen", "pid", s.PID())
			s.Kill() // else it takes over when it goes on, since it hears of no end
			return true
		}
		if outdated {
			return false
		}
		select {
		case <-tick.C:
		case <-s.Done():
			m.Log.Warn("the standby ended", "pid", s.PID(), "how", s.Exit().String())
			return true
		case <-alone:
			return true
		case <-m.done:
			return true
		}
	}
}

// beatOnce tells the standby also how many slots there are.
func (m *master) beatOnce() error {
	if m.heir == nil {
		return nil
	}
	return m.heir.wire.send(frame{kind: beat, x: uint32(len(m.slots))}, -1)
}

// dismiss lets a standby go without taking over, and waits until it has. Only one
// that accepts connections needs time for that, and more if the cluster goes on.
func (m *master) dismiss(s *standby, goesOn bool) {
	patience := missedBeats
	select {
	case <-s.standing:
		if m.Config.Standby == "active" {
			patience = standTimeout + m.Config.passTime(goesOn)
		}
	default:
	}
	f := frame{kind: retire}
	if goesOn {
		f.x = 1
	}
	if errors.Is(s.wire.send(f, -1), errFull) {
		s.Kill() // it would take over without having heard
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-s.Done():
	case <-ctx.Done():
		s.Kill() // lest it takes over
		select {
		case <-s.Done(): // its wire ends before its listeners do
		case <-time.After(standTimeout):
		}
	}
	s.wire.deadline(time.Now().Add(standTimeout)) // somebody else may hold its end open
	<-s.silent
	s.wire.close()
}

// wirePair returns both ends of a wire, the other one for a child.
func wirePair() (ours *wire, theirs *os.File, err error) {
	a, b, err := socketPair(wireSocket)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(b), "wire")
	if ours, err = wireOf(os.NewFile(uintptr(a), "wire")); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// wireOf owns f.
func wireOf(f *os.File) (*wire, error) {
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("use an inherited socket: %w", err)
	}
	return newWire(conn.(*net.UnixConn)), nil
}

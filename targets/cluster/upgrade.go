//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// errBusy says that the cluster cannot be handed over just now.
var errBusy = errors.New("the cluster is being reloaded, handed over or stopped; try again when that is done")

// upgrade hands the cluster over to a standby of another binary. When it returns
// nil this master has nothing left but answers that it owes.
func (m *master) upgrade(binary string) error {
	if _, err := exec.LookPath(binary); err != nil {
		return fmt.Errorf("upgrade: %w", programError(binary, err))
	}
	if len(m.Standby) == 0 {
		return errors.New("upgrade: this master was not told how to start a standby")
	}
	var old chan struct{} // closed when the standby has gone, which must not take over as well
	var alone, bereft chan struct{}
	busy := false
	if !m.ask(func() {
		if busy = m.stopping || m.reloads.running || m.yielding; busy {
			return
		}
		m.yielding = true
		m.goAlone()
		old = m.bereft
		m.alone, m.bereft = make(chan struct{}), make(chan struct{})
		alone, bereft = m.alone, m.bereft
	}) || busy {
		return fmt.Errorf("upgrade: %w", errBusy)
	}
	<-old
	err := m.handOverTo(append([]string{binary}, m.Standby[1:]...), append([]string{binary}, m.Command[1:]...), alone)
	if err == nil {
		close(bereft)
		return nil
	}
	if !m.ask(func() {
		m.yielding = false
		if m.stopping || m.Config.Standby == "none" {
			close(bereft)
		} else {
			m.wg.Go(func() { m.keepStandby(alone, bereft) })
		}
	}) {
		close(bereft)
	}
	return fmt.Errorf("upgrade: %w", err)
}

// handOverTo starts a standby and leaves everything to it, unless alone is closed
// before that begins: the cluster stops.
func (m *master) handOverTo(command, workers []string, alone <-chan struct{}) (err error) {
	s, err := m.startStandby(command, workers)
	if err != nil {
		return err
	}
	over, unheard := make(chan struct{}), make(chan struct{})
	m.wg.Go(func() {
		defer close(unheard)
		m.beat(s, over)
	})
	defer func() {
		close(over)
		<-unheard
		if err != nil {
			m.dismiss(s, !errors.Is(err, errStopping))
		}
		s.wire.close() // else this master would hear of its successor until that ends
	}()
	timer := time.NewTimer(standTimeout)
	defer timer.Stop()
	select {
	case <-s.standing:
	case <-alone:
		return errStopping
	case <-unheard:
		select {
		case <-s.Done():
			return fmt.Errorf("the new binary ended before it was ready: %s", s.Exit())
		default:
			return errBusy // the listeners are others now
		}
	case <-timer.C:
		return fmt.Errorf("the new binary was not ready within %s", standTimeout)
	}
	h, lines := m.dispatch.(*handoff)
	if !m.ask(func() {
		now, _ := m.dispatch.bequeath()
		switch {
		case m.stopping:
			err = errStopping
		case !slices.Equal(now, s.slots):
			err = errBusy
		case lines:
			m.ceding = true
		default:
			m.cede(s)
		}
	}) {
		err = errStopping
	}
	if err != nil {
		return err
	}
	if lines {
		ctx, cancel := context.WithTimeout(context.Background(), standTimeout)
		defer cancel()
		until, _ := ctx.Deadline()
		h.surrender(ctx, func(fd int) error { return s.wire.push(frame{kind: handed}, fd, until) })
		m.ask(func() { m.cede(s) }) // while it cedes nothing ends loop
	}
	select {
	case <-s.took:
	case <-s.Done():
		return fmt.Errorf("the new master ended at once: %s; the workers have no master", s.Exit())
	}
	return nil
}

// cede makes a standby master. It is the last that loop does.
func (m *master) cede(s *standby) {
	m.estate.leave()
	m.control.Close() // who comes from now on waits for the other master
	m.workers.Close()
	_ = s.wire.push(frame{kind: take, x: uint32(len(m.slots))}, -1, time.Now().Add(standTimeout)) // if that fails it ends, or is ended
	m.yielded, m.successor = true, s.Process
	m.announce("process %d is to be master", s.PID())
}

// goAlone lets the standby go.
func (m *master) goAlone() {
	select {
	case <-m.alone:
	default:
		close(m.alone)
	}
}

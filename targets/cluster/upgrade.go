//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
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
	busy := false
	if !m.ask(func() {
		if busy = m.stopping || m.reloads.running || m.yielding; !busy {
			m.yielding = true
			m.goAlone()
		}
	}) || busy {
		return fmt.Errorf("upgrade: %w", errBusy)
	}
	err := m.handOverTo(append([]string{binary}, m.Standby[1:]...), append([]string{binary}, m.Command[1:]...))
	if err != nil {
		m.post(func() { m.yielding = false })
		return fmt.Errorf("upgrade: %w", err)
	}
	return nil
}

func (m *master) handOverTo(command, workers []string) error {
	s, err := m.startStandby(command, workers)
	if err != nil {
		return err
	}
	defer s.wire.close() // else this master would hear of its successor until that ends
	timer := time.NewTimer(standTimeout)
	defer timer.Stop()
	select {
	case <-s.standing:
	case <-s.Done():
		return fmt.Errorf("the new binary ended before it was ready: %s", s.Exit())
	case <-timer.C:
		m.dismiss(s)
		return fmt.Errorf("the new binary was not ready within %s", standTimeout)
	}
	if h, ok := m.dispatch.(*handoff); ok {
		ctx, cancel := context.WithTimeout(context.Background(), standTimeout)
		defer cancel()
		until, _ := ctx.Deadline()
		h.surrender(ctx, func(fd int) error { return s.wire.push(frame{kind: handed}, fd, until) })
	}
	if !m.ask(func() {
		m.estate.leave()
		m.control.Close() // who comes from now on waits for the other master
		m.workers.Close()
		_ = s.wire.send(frame{kind: take, x: uint32(len(m.slots))}, -1)
		m.yielded = true
		m.announce("process %d is to be master", s.PID())
	}) {
		return errStopping
	}
	select {
	case <-s.took:
		return nil
	case <-s.Done():
		return fmt.Errorf("the new master ended at once: %s; the workers have no master", s.Exit())
	}
}

// goAlone lets the standby go.
func (m *master) goAlone() {
	select {
	case <-m.alone:
	default:
		close(m.alone)
	}
}

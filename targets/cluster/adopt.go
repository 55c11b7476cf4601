//go:build unix

package cluster

import (
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// adopted is the process of a worker that another master started.
type adopted struct {
	id   proc.ID
	fd   *pidfd
	done chan struct{}
}

// unknownExit is what is known of the end of somebody else's child.
var unknownExit = proc.Exit{Code: -1}

func adoptProcess(id proc.ID) (*adopted, error) {
	fd, err := openPidfd(id.PID)
	if err != nil {
		return nil, err
	}
	// The pid may have been another's already when it was opened.
	if now, err := proc.Lookup(id.PID); err != nil || now.ID != id || now.Zombie {
		fd.close()
		return nil, os.ErrProcessDone
	}
	return &adopted{id: id, fd: fd, done: make(chan struct{})}, nil
}

func (a *adopted) ID() proc.ID           { return a.id }
func (a *adopted) PID() int              { return a.id.PID }
func (a *adopted) Done() <-chan struct{} { return a.done }

func (a *adopted) Exit() proc.Exit {
	<-a.done
	return unknownExit
}

// Signal implements osProcess.
func (a *adopted) Signal(sig os.Signal) error { return a.fd.signal(sig.(syscall.Signal)) }

// adopt takes over the workers that the page tells of, and starts those that
// are missing.
func (m *master) adopt() {
	newest := map[*slot]*worker{}
	for _, e := range m.page.Resume() {
		p := e.Process()
		if p.Slot == 0 {
			if p.Ended == 0 && p.ID.PID != os.Getpid() {
				e.End(unknownExit)
			}
			continue
		}
		if p.Slot > len(m.slots) {
			if p.Ended == 0 {
				m.sendAway(e)
			}
			continue
		}
		s := m.slots[p.Slot-1]
		s.lives, s.restarts = max(s.lives, p.Life), max(s.restarts, p.Restarts)
		m.generation = max(m.generation, p.Generation)
		if p.Ended != 0 {
			continue
		}
		w, err := m.adoptWorker(s, e)
		if err != nil {
			e.End(unknownExit)
			continue
		}
		if n := newest[s]; n == nil || n.life < w.life {
			newest[s] = w
		}
	}
	for _, s := range m.slots {
		if s.current = newest[s]; s.current == nil && m.Config.Restart.Replaces(true) {
			m.reviveNow(s)
		}
	}
	m.failIfNoneIsLeft()
}

// adoptWorker takes over one worker, which goes on where it was. Unless it is a
// program of somebody else's it will dial this master.
func (m *master) adoptWorker(s *slot, e *page.Entry) (*worker, error) {
	p := e.Process()
	a, err := adoptProcess(p.ID)
	if err != nil {
		return nil, err
	}
	w := &worker{
		osProcess: a, slot: s, life: p.Life, generation: p.Generation, entry: e, began: p.Started,
		ready: make(chan struct{}), gone: make(chan struct{}), state: Starting, wasReady: p.Ready,
	}
	m.living[w] = struct{}{}
	w.timer = time.AfterFunc(m.Config.ReadyTimeout.Std(), func() { m.post(func() { m.tooLate(w) }) })
	if p.Ready && m.Config.Liveness == nil {
		w.timer.Stop() // it may be frozen, which is its affair as it was before
	}
	m.wg.Go(func() {
		if a.fd.wait() == nil {
			close(a.done)
		}
	})
	m.wg.Go(func() {
		select {
		case <-a.done:
		case <-m.done:
		}
		a.fd.close()
	})
	if o, err := openOutput(outputFile(m.Dir, s.number, w.life)); err == nil { // else it has printed its last
		m.wg.Go(func() { m.relay(o, w) })
	}
	m.awaitEnd(w)
	var beside *atomic.Int64
	if len(m.Config.Exec) > 0 {
		beside = m.page.Beside(e)
	}
	switch {
	case m.Config.Dispatch == "handoff":
		switch w.member = m.reached[e]; { // one that is not cannot be given anything before it has dialled
		case w.member == nil:
		case p.Ready:
			m.becameReady(w, 0)
		default:
			m.dispatch.leave(w.member)
		}
	case p.Ready:
		w.member = &member{entry: e, slot: s.number, beside: beside}
		m.becameReady(w, p.Port)
	case beside != nil:
		w.member = &member{entry: e, slot: s.number, beside: beside}
		m.wg.Go(func() { m.awaitProgram(w, p.Port) })
	}
	return w, nil
}

// sendAway lets a worker go for whom there is no slot: it was started, or told to
// leave, right before its master died.
func (m *master) sendAway(e *page.Entry) {
	s := newSlot(e.Process().Slot, m.Config.Restart)
	s.removed = true
	w, err := m.adoptWorker(s, e)
	if err != nil {
		e.End(unknownExit)
		return
	}
	s.current = w
	m.leave(w)
}

// leaveSurplus lets the workers of a slot go that were to be replaced by w when
// their master died.
func (m *master) leaveSurplus(w *worker) {
	for other := range m.living {
		if other.slot == w.slot && other.life < w.life && !slices.Contains([]*worker{w.slot.current, w.slot.next}, other) && other.state != Resting {
			m.leave(other)
		}
	}
}

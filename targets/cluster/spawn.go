//go:build unix

package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// killSlack is how much longer than kill_timeout the master waits for a worker
// that leaves, which cuts off its requests by itself at kill_timeout.
const killSlack = 250 * time.Millisecond

// slot is the place of one worker, which its replacements take over.
type slot struct {
	number   int     // from 1
	current  *worker // nil: there is none
	next     *worker // in a reload: it takes over once it is ready
	lives    int     // processes that it ever had
	restarts int     // how many of them replaced one that ended by itself
	backoff  *Backoff
	timer    *time.Timer // not nil: starts the next life
}

// worker is a worker process. What is not set at its start belongs to loop.
type worker struct {
	*proc.Process
	slot       *slot
	life       int
	generation int
	entry      *page.Entry
	began      clock.Time
	ready      chan struct{} // closed when it is ready
	gone       chan struct{} // closed when it has ended

	state  State
	asked  bool // it was asked to leave
	late   bool // it was ended because it did not become ready
	member *member
	timer  *time.Timer // ends it if it does not become ready, or leave, in time
}

// spawn starts the next life of a slot, as its current worker unless that one
// lives.
func (m *master) spawn(s *slot) (*worker, error) {
	s.lives++
	index, entry := m.page.Add(s.number, s.lives, m.generation, s.restarts)
	config, err := json.Marshal(workerConfig{
		Slot: s.number, Life: s.lives, Index: index,
		Socket: workerSocket(m.Dir), Address: m.address, Dispatch: m.Config.Dispatch,
		App: m.Config.App, Threads: m.Config.Threads, Seed: m.Seed,
		MaxInFlight: m.Config.MaxInFlight, QueueTimeout: m.Config.Queue.Timeout.Std(),
		KillTimeout: m.Config.KillTimeout.Std(), Lifeline: m.Lifeline,
	})
	if err != nil {
		return nil, err
	}
	files, err := m.dispatch.inherit(s.number)
	if err != nil {
		return nil, fmt.Errorf("start worker %d: %w", s.number, err)
	}
	began := clock.Now()
	p, err := proc.Start(proc.Command{
		Path:   m.Command[0],
		Args:   m.Command[1:],
		Env:    []string{workerVar + "=" + string(config), "GOMAXPROCS=" + strconv.Itoa(m.Config.Threads)},
		Stdout: m.Output, Stderr: m.Output,
		Files: append([]*os.File{m.page.File()}, files...),
	})
	if err != nil {
		return nil, fmt.Errorf("start worker %d: %w", s.number, err)
	}
	entry.Start(p.ID())
	w := &worker{
		Process: p, slot: s, life: s.lives, generation: m.generation, entry: entry, began: began,
		ready: make(chan struct{}), gone: make(chan struct{}), state: Starting,
	}
	m.living[w] = struct{}{}
	if s.current == nil {
		s.current = w
	} else {
		s.next = w
	}
	w.timer = time.AfterFunc(m.Config.ReadyTimeout.Std(), func() { m.post(func() { m.tooLate(w) }) })
	m.wg.Go(func() {
		<-p.Done()
		m.post(func() { m.ended(w) })
	})
	return w, nil
}

func (m *master) tooLate(w *worker) {
	if w.state == Starting {
		w.late = true
		m.change(w, "worker %d (pid %d) is ended: not ready after %s", w.slot.number, w.PID(), m.Config.ReadyTimeout)
		m.kill(w)
	}
}

// kill ends a process at once. Its end is seen later.
func (m *master) kill(w *worker) {
	_ = w.Signal(os.Kill) // it may have ended already, which is as good
}

// becameReady lets a worker take requests, at its port if it has one.
func (m *master) becameReady(w *worker, port int) {
	if w.state != Starting || w.member == nil {
		return
	}
	w.timer.Stop()
	w.state = Serving
	w.member.port = port
	w.entry.SetReady(true)
	m.dispatch.join(w.member)
	close(w.ready)
	m.change(w, "worker %d (pid %d) is ready after %s", w.slot.number, w.PID(), units.FormatDuration(clock.Since(w.began)))
}

// leave asks a worker to finish what it has and go.
func (m *master) leave(w *worker) {
	if w.asked {
		return
	}
	w.asked = true
	m.retire(w)
	w.timer.Stop()
	w.timer = time.AfterFunc(m.Config.KillTimeout.Std()+killSlack, func() { m.post(func() { m.kill(w) }) })
	if w.member == nil {
		_ = w.Signal(os.Interrupt) // it has not connected: then it has nothing to finish
		return
	}
	last := uint32(0)
	if m.stopping {
		last = 1
	}
	_ = w.member.wire.send(frame{kind: drain, x: last}, -1) // if its wire has ended, so will it
}

// retire gives a worker no more requests.
func (m *master) retire(w *worker) {
	if w.state == Leaving {
		return
	}
	w.state = Leaving
	w.entry.SetReady(false)
	if w.member != nil {
		m.dispatch.leave(w.member)
	}
	m.change(w, "worker %d (pid %d) leaves", w.slot.number, w.PID())
}

// ended deals with a process that has ended: it is replaced if that is called
// for.
func (m *master) ended(w *worker) {
	x := w.Exit()
	w.timer.Stop()
	w.state = Ended
	w.entry.End(x)
	delete(m.living, w)
	close(w.gone)
	s := w.slot
	how := "ended with " + x.String()
	switch {
	case x.Signal != "":
		how = "was " + x.String()
	case w.asked && x.Code == 0:
		how = "has left"
	}
	m.change(w, "worker %d (pid %d) %s", s.number, w.PID(), how)
	switch w {
	case s.next:
		s.next = nil
		if s.current == nil { // it was to take over from one that crashed meanwhile
			m.restart(s, w, x)
		}
	case s.current:
		s.current = nil
		if s.next == nil && !w.asked {
			m.restart(s, w, x)
		}
	}
	if s.current == nil && s.next == nil && s.timer == nil && !m.stopping {
		m.dispatch.vacate(s.number)
	}
	m.failIfNoneIsLeft()
}

// restart begins the next life of a slot after w, now or later, if its end
// calls for one.
func (m *master) restart(s *slot, w *worker, x proc.Exit) {
	if m.stopping || !m.Config.Restart.Replaces(x.Failed()) {
		return
	}
	m.revive(s, s.backoff.Next(clock.Since(w.began)))
}

func (m *master) revive(s *slot, wait time.Duration) {
	if wait > 0 {
		m.Log.Warn("a worker lived only shortly", "worker", s.number, "replaced in", wait)
		s.timer = time.AfterFunc(wait, func() { m.post(func() { m.reviveNow(s) }) })
		return
	}
	m.reviveNow(s)
}

func (m *master) reviveNow(s *slot) {
	s.timer = nil
	if m.stopping || s.current != nil || s.next != nil {
		return
	}
	s.restarts++
	if _, err := m.spawn(s); err != nil {
		m.Log.Error("replace a worker", "error", err)
		m.revive(s, max(s.backoff.Next(0), time.Millisecond))
	}
}

// failIfNoneIsLeft ends the cluster when nobody will ever serve again.
func (m *master) failIfNoneIsLeft() {
	if m.stopping || len(m.living) > 0 || slices.ContainsFunc(m.slots, func(s *slot) bool { return s.timer != nil }) {
		return
	}
	m.failure = fmt.Errorf("no worker is left, and none is replaced (restart: %s)", m.Config.Restart.When)
	m.stop()
}

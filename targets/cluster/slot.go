//go:build unix

package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

// slot is the place of one worker, which its replacements take over.
type slot struct {
	number   int     // from 1
	current  *worker // nil: there is none
	next     *worker // it takes over from current once it is ready
	lives    int     // processes that it ever had
	restarts int     // how many of them replaced one that ended by itself
	backoff  *Backoff
	timer    *time.Timer // not nil: starts the next life
	errored  bool        // its workers live too shortly: no more are started
	removed  bool        // the cluster was made smaller
	fat      bool        // its worker is being replaced because of its memory
	// renewing holds one while somebody replaces its worker by a new one.
	renewing chan struct{}
}

func newSlot(number int, r Restart) *slot {
	return &slot{number: number, backoff: NewBackoff(r), renewing: make(chan struct{}, 1)}
}

// ended deals with a process that has ended: it is replaced if that is called
// for.
func (m *master) ended(w *worker) {
	x := w.Exit()
	w.timer.Stop()
	w.entry.End(x)
	delete(m.living, w)
	close(w.gone)
	if len(m.Config.Exec) > 0 && w.member != nil {
		m.dispatch.gone(w.member) // nothing else would tell
		w.member = nil
	}
	s := w.slot
	how := "ended with " + x.String()
	switch {
	case x == unknownExit && w.state == Leaving:
		x.Code, how = 0, "has left"
	case x == unknownExit:
		how = "has ended" // as somebody else's child
	case x.Signal != "":
		how = "was " + x.String()
	case w.asked && (x.Code == 0 || len(m.Config.Exec) > 0):
		how = "has left"
	}
	w.state = Ended
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
	m.vacate(s)
	m.failIfNoneIsLeft()
}

// vacate says so if a slot is to have no worker any more. While the cluster stops
// what has come to it is still served.
func (m *master) vacate(s *slot) {
	switch {
	case s.current != nil || s.next != nil || len(s.renewing) > 0 || !m.holds(s):
	case m.stopping:
		m.dispatch.spare(s.number)
	case s.timer == nil:
		m.dispatch.vacate(s.number)
	}
}

// holds tells whether nobody has come after a slot that was removed.
func (m *master) holds(s *slot) bool {
	return !slices.ContainsFunc(m.slots, func(other *slot) bool { return other != s && other.number == s.number })
}

// restart begins the next life of a slot after w, now or later, if its end
// calls for one.
func (m *master) restart(s *slot, w *worker, x proc.Exit) {
	if m.stopping || s.removed || !m.Config.Restart.Replaces(x.Failed()) {
		return
	}
	lived := clock.Since(w.began)
	if !w.wasReady {
		lived = 0
	}
	if s.backoff.Exhausted(clock.Now(), lived) {
		s.errored = true
		m.tell(Change{Slot: s.number, State: Errored, What: fmt.Sprintf("worker %d is errored: more than %d short lives within %s; a reload tries again", s.number, m.Config.Restart.Max, units.FormatDuration(m.Config.Restart.Window.Std()))})
		return
	}
	m.revive(s, s.backoff.Next(lived))
}

func (m *master) revive(s *slot, wait time.Duration) {
	if wait > 0 {
		m.Log.Warn("a worker lived only shortly", "worker", s.number, "replaced in", wait)
		m.dispatch.spare(s.number)
		s.timer = time.AfterFunc(wait, func() { m.post(func() { m.reviveNow(s) }) })
		return
	}
	m.reviveNow(s)
}

func (m *master) reviveNow(s *slot) {
	s.timer = nil
	if m.stopping || s.removed || s.current != nil || s.next != nil {
		return
	}
	s.restarts++
	if _, err := m.spawn(s); err != nil {
		s.restarts--
		m.Log.Error("replace a worker", "error", err)
		m.revive(s, max(s.backoff.Next(0), time.Millisecond))
	}
}

// forgive lets a slot start anew, whatever became of its workers.
func (s *slot) forgive(r Restart) {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.errored {
		s.errored, s.backoff = false, NewBackoff(r)
	}
}

// failIfNoneIsLeft ends the cluster when nobody will ever serve again.
func (m *master) failIfNoneIsLeft() {
	if m.stopping || m.reloads.running || len(m.slots) == 0 || len(m.living) > 0 || slices.ContainsFunc(m.slots, func(s *slot) bool { return s.timer != nil }) {
		return
	}
	m.failure = fmt.Errorf("no worker is left, and none is replaced (restart: %s)", m.Config.Restart.When)
	if slices.ContainsFunc(m.slots, func(s *slot) bool { return s.errored }) {
		m.failure = fmt.Errorf("no worker is left, and none is replaced: all are errored, with more than %d short lives within %s (restart.max)", m.Config.Restart.Max, units.FormatDuration(m.Config.Restart.Window.Std()))
	}
	m.stop()
}

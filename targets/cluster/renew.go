//go:build unix

package cluster

import "fmt"

// spawnAttempts is how often a renewal starts a replacement that ends, by itself
// or by a fault that hits it, before it is ready.
const spawnAttempts = 3

// renewal says how the worker of one slot is replaced by a new one.
type renewal struct {
	after int    // a worker of a later life than this is new
	order string // start-first or stop-first
	park  bool   // the old one rests instead of leaving
}

// renew replaces the worker of a slot, and returns the old one if it rests; one
// that leaves has gone by then. Renewals of one slot come one after the other.
func (m *master) renew(s *slot, r renewal) (parked *worker, err error) {
	select {
	case s.renewing <- struct{}{}:
		defer m.post(func() {
			<-s.renewing
			m.vacate(s)
		})
	case <-m.done:
		return nil, errStopping
	}
	if r.order == "stop-first" {
		if err := m.clear(s, r); err != nil {
			return nil, err
		}
	}
	for range spawnAttempts {
		next, err := m.replacement(s, r)
		if err != nil || next == nil {
			return nil, err
		}
		select {
		case <-next.ready:
			if old, done, err := m.handOver(s, next, r); done || err != nil {
				return old, err
			}
		case <-next.gone:
		case <-m.done:
			return nil, errStopping
		}
		if next.late {
			return nil, fmt.Errorf("its replacement was not ready within %s", m.Config.ReadyTimeout)
		}
	}
	return nil, fmt.Errorf("%d replacements ended before they were ready", spawnAttempts)
}

// clear lets the old worker leave, and waits until it has gone.
func (m *master) clear(s *slot, r renewal) error {
	var old *worker
	if !m.ask(func() {
		if w := s.current; w != nil && w.life <= r.after {
			old = w
			m.leave(w)
		}
	}) {
		return errStopping
	}
	return m.awaitGone(old)
}

func (m *master) awaitGone(w *worker) error {
	if w == nil {
		return nil
	}
	select {
	case <-w.gone:
		return nil
	case <-m.done:
		return errStopping
	}
}

// replacement returns the new worker of a slot, which it starts unless a crash
// has brought it already; nil if the slot was removed.
func (m *master) replacement(s *slot, r renewal) (w *worker, err error) {
	if !m.ask(func() {
		switch {
		case m.stopping:
			err = errStopping
		case s.removed:
		case s.current != nil && s.current.life > r.after:
			w = s.current
		case s.next != nil:
			w = s.next
		default:
			s.forgive(m.Config.Restart)
			w, err = m.spawn(s)
		}
	}) {
		err = errStopping
	}
	return w, err
}

// handOver makes next the worker of its slot, and waits until the old one has
// gone or returns it resting; done is false if next crashed before it could
// take over.
func (m *master) handOver(s *slot, next *worker, r renewal) (parked *worker, done bool, err error) {
	var old *worker
	if !m.ask(func() {
		if s.next == next {
			old, s.current, s.next = s.current, next, nil
		}
		done = s.removed || s.current != nil && s.current.life > r.after
		switch {
		case old != nil && r.park:
			m.rest(old)
		case old != nil:
			m.leave(old)
		}
	}) {
		return nil, false, errStopping
	}
	if old != nil && r.park {
		return old, done, nil
	}
	return nil, done, m.awaitGone(old)
}

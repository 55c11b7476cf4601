//go:build unix

package cluster

import (
	"errors"
	"fmt"
)

// spawnAttempts is how often a reload starts a replacement that ends, by itself
// or by a fault that hits it, before it is ready.
const spawnAttempts = 3

// reloads knows who waits for which reload.
type reloads struct {
	running bool
	now     []chan<- error // told when the running one is done
	after   []chan<- error // told when the one after it is done
	again   bool           // one is to follow
}

// requestReload starts a reload; if one runs, one more follows it, however many
// ask meanwhile: it may have replaced a worker before what the caller wants to
// be picked up was there. done may be nil; else it holds one and is told.
func (m *master) requestReload(done chan<- error) {
	r := &m.reloads
	switch {
	case m.stopping:
		if done != nil {
			done <- errStopping
		}
		return
	case r.running:
		r.again = true
		if done != nil {
			r.after = append(r.after, done)
		}
		return
	}
	r.running = true
	if done != nil {
		r.now = append(r.now, done)
	}
	m.generation++
	m.announce("reload of %d workers", len(m.slots))
	m.wg.Go(m.reload)
}

var errStopping = errors.New("the cluster is being stopped")

// reload replaces all workers and tells who waits for it.
func (m *master) reload() {
	err := m.reloadSlots()
	m.post(func() {
		if err != nil {
			m.announce("%s", err)
		} else {
			m.announce("reload is done")
		}
		r := &m.reloads
		for _, done := range r.now {
			done <- err
		}
		again, waiting := r.again, r.after
		*r = reloads{}
		if again {
			m.requestReload(nil)
			r.now = append(r.now, waiting...)
			if !r.running { // the cluster is being stopped
				for _, done := range waiting {
					done <- errStopping
				}
			}
		}
	})
}

// reloadSlots goes from slot to slot. The next one follows when the old worker
// has gone.
func (m *master) reloadSlots() error {
	for _, s := range m.slots {
		if err := m.reloadSlot(s); err != nil {
			return fmt.Errorf("reload stopped at worker %d of %d: %w; the workers that are there go on", s.number, len(m.slots), err)
		}
	}
	return nil
}

// reloadSlot starts a replacement, and lets the old worker leave once it is
// ready.
func (m *master) reloadSlot(s *slot) error {
	for range spawnAttempts {
		next, err := m.replacement(s)
		if err != nil {
			return err
		}
		select {
		case <-next.ready:
			if done, err := m.handOver(s, next); done || err != nil {
				return err
			}
		case <-next.gone:
		case <-m.done:
			return errStopping
		}
		if next.late {
			return fmt.Errorf("its replacement was not ready within %s", m.Config.ReadyTimeout)
		}
	}
	return fmt.Errorf("%d replacements ended before they were ready", spawnAttempts)
}

// replacement returns the worker of the new generation in a slot, which it
// starts unless a crash has brought it already.
func (m *master) replacement(s *slot) (w *worker, err error) {
	if !m.ask(func() {
		switch {
		case m.stopping:
			err = errStopping
		case s.current != nil && s.current.generation == m.generation:
			w = s.current
		case s.next != nil:
			w = s.next
		default:
			if s.timer != nil {
				s.timer.Stop()
				s.timer = nil
			}
			w, err = m.spawn(s)
		}
	}) {
		err = errStopping
	}
	return w, err
}

// handOver makes next the worker of its slot and waits until the old one has
// gone; false says that next crashed before it could take over.
func (m *master) handOver(s *slot, next *worker) (done bool, err error) {
	var old *worker
	if !m.ask(func() {
		if s.next == next {
			old, s.current, s.next = s.current, next, nil
		}
		done = s.current != nil && s.current.generation == m.generation
		if old != nil {
			m.leave(old)
		}
	}) {
		return false, errStopping
	}
	if old == nil {
		return done, nil
	}
	select {
	case <-old.gone:
		return done, nil
	case <-m.done:
		return false, errStopping
	}
}

//go:build unix

package cluster

import (
	"fmt"
	"slices"

	"github.com/hachaos/hachaos/reports/units"
)

// scale changes the number of workers. It returns once new ones are ready, or
// those that are too many have gone; the error says that some new ones are not
// ready, which the cluster goes on trying to start.
func (m *master) scale(n int) error {
	if n < 1 || n > 1024 {
		return fmt.Errorf("scale: %d is no number of workers (they are 1 to 1024)", n)
	}
	var coming, going []*worker
	var err error
	if !m.ask(func() { coming, going, err = m.resize(n) }) {
		return errStopping
	}
	if err != nil {
		return fmt.Errorf("scale: %w", err)
	}
	for _, w := range going {
		select {
		case <-w.gone:
		case <-m.done:
			return errStopping
		}
	}
	late := 0
	for _, w := range coming {
		select {
		case <-w.ready:
		case <-w.gone:
			late++
		case <-m.done:
			return errStopping
		}
	}
	if late > 0 {
		return fmt.Errorf("scale: %d of %d new workers ended before they were ready", late, len(coming))
	}
	return nil
}

// livesOf is the last life that a slot of this number had: a worker may still be
// leaving that is of one that was removed.
func (m *master) livesOf(number int) (life int) {
	for _, p := range m.page.Processes() {
		if p.Slot == number {
			life = max(life, p.Life)
		}
	}
	return life
}

// resize adds slots, or removes the last ones.
func (m *master) resize(n int) (coming, going []*worker, err error) {
	if m.stopping {
		return nil, nil, errStopping
	}
	if m.yielding { // the new master would know nothing of them
		return nil, nil, errBusy
	}
	before := len(m.slots)
	m.announce("the cluster is scaled from %d to %s", before, units.FormatCount(int64(n)))
	for len(m.slots) > n {
		last := len(m.slots) - 1
		s := m.slots[last]
		m.slots = m.slots[:last:last]
		s.forgive(m.Config.Restart)
		s.removed = true
		m.dispatch.desert(s.number)
		left := slices.DeleteFunc([]*worker{s.current, s.next}, func(w *worker) bool { return w == nil })
		for _, w := range left {
			m.leave(w)
		}
		if len(left) == 0 {
			m.dispatch.vacate(s.number)
		}
		going = append(going, left...)
	}
	for len(m.slots) < n {
		s := newSlot(len(m.slots)+1, m.Config.Restart)
		s.lives = m.livesOf(s.number)
		m.slots = append(m.slots, s)
		w, err := m.spawn(s)
		if err != nil {
			m.slots = m.slots[:len(m.slots)-1]
			return coming, going, err
		}
		coming = append(coming, w)
	}
	_ = m.beatOnce() // a new master is to know them; if it does not hear, it is about to be replaced
	return coming, going, nil
}

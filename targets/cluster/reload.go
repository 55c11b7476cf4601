//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

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
	case m.yielding:
		m.Log.Warn("no reload: the cluster is being handed over")
		if done != nil {
			done <- fmt.Errorf("reload: %w", errBusy)
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
	m.announce("reload of %s", units.CountOf(int64(len(m.slots)), "worker"))
	var places []place
	for _, s := range m.slots {
		places = append(places, place{s, s.lives})
	}
	m.wg.Go(func() { m.reload(places) })
}

var errStopping = errors.New("the cluster is being stopped")

// place is a slot to be reloaded, with the last of its lives before that.
type place struct {
	*slot
	last int
}

// reload replaces all workers and tells who waits for it.
func (m *master) reload(places []place) {
	err := m.reloadPlaces(places)
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
		m.failIfNoneIsLeft()
	})
}

// reloadPlaces goes from group to group. The next one follows when the old
// workers have gone, or rest if they can be put back.
func (m *master) reloadPlaces(places []place) error {
	c := m.Config.Reload
	parks := c.OnFailure == "rollback"
	var parked []parking
	var failures []error
	total := len(places)
	for group := range slices.Chunk(places, max(c.Parallelism, 1)) {
		if group[0] != places[0] && !m.wait(c.Delay.Std()) {
			return errStopping
		}
		done, errs := m.reloadGroup(group, renewal{order: c.Order, park: parks}, total)
		parked = append(parked, done...)
		failures = append(failures, errs...)
		if len(errs) > 0 && c.OnFailure != "continue" {
			break
		}
	}
	failure := errors.Join(failures...)
	switch {
	case failure == nil:
		return m.release(parked)
	case errors.Is(failure, errStopping):
		return errStopping
	case parks:
		m.putBack(parked)
		return fmt.Errorf("reload %w; the old workers were put back", oneLine(failures))
	case c.OnFailure == "continue":
		return fmt.Errorf("reload %w; the others were replaced", oneLine(failures))
	}
	return fmt.Errorf("reload %w; the workers that are there go on", oneLine(failures))
}

// oneLine joins errors without line breaks.
func oneLine(errs []error) error {
	all := errs[0]
	for _, err := range errs[1:] {
		all = fmt.Errorf("%w, and %w", all, err)
	}
	return all
}

// reloadGroup replaces the workers of some slots at the same time.
func (m *master) reloadGroup(group []place, r renewal, total int) (parked []parking, failures []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, p := range group {
		wg.Go(func() {
			r := r
			r.after = p.last
			old, err := m.renew(p.slot, r)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, fmt.Errorf("stopped at worker %d of %d: %w", p.number, total, err))
			} else if old != nil {
				parked = append(parked, parking{p.slot, old})
			}
		})
	}
	wg.Wait()
	return parked, failures
}

// wait returns false if the master ends meanwhile.
func (m *master) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-m.done:
		return false
	}
}

// parking is an old worker that rests, and the slot in which it was.
type parking struct {
	slot *slot
	old  *worker
}

// release lets the old workers of a reload that went well leave.
func (m *master) release(parked []parking) error {
	for _, p := range parked {
		m.post(func() { m.leave(p.old) })
	}
	for _, p := range parked {
		if err := m.awaitGone(p.old); err != nil {
			return err
		}
	}
	return nil
}

// putBack lets the old workers of a reload that failed serve again, and the new
// ones leave.
func (m *master) putBack(parked []parking) {
	var gone []*worker
	for _, p := range parked {
		m.ask(func() {
			s := p.slot
			if m.stopping || s.removed || p.old.state != Resting || s.next != nil {
				m.leave(p.old)
				return
			}
			s.forgive(m.Config.Restart)
			next := s.current
			s.current = p.old
			m.wake(p.old)
			if next != nil {
				m.leave(next)
				gone = append(gone, next)
			}
		})
	}
	for _, w := range gone {
		if m.awaitGone(w) != nil {
			return
		}
	}
}

// rest gives a worker no more requests for now.
func (m *master) rest(w *worker) {
	if w.state != Serving {
		return
	}
	w.state = Resting
	w.entry.SetReady(false)
	if w.member != nil {
		m.dispatch.leave(w.member)
		_ = w.member.send(frame{kind: rest})
	}
	m.change(w, "worker %d (pid %d) rests", w.slot.number, w.PID())
}

// wake lets a worker that rests take requests again.
func (m *master) wake(w *worker) {
	w.state = Serving
	w.entry.SetReady(true)
	if w.member != nil {
		_ = w.member.send(frame{kind: resume})
		m.dispatch.join(w.member)
	}
	m.change(w, "worker %d (pid %d) serves again", w.slot.number, w.PID())
}

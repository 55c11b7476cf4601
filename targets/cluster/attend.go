//go:build unix

package cluster

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// attend hands connections to a worker over a wire of its own, which it owns, from
// when the worker says hello over it until it ends, when over is called. The worker
// may have come to hear of this process in another way by then, and be handed them
// so.
func (h *handoff) attend(m *member, w *wire, over func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		w.close()
		return
	}
	h.hands = append(h.hands, w)
	h.members = append(h.members, m)
	h.wg.Go(func() {
		_ = w.hear(func(f frame, _ int) error { // it ends when the worker does
			switch f.kind {
			case hello:
				h.mu.Lock()
				if m.hand == nil {
					m.hand = w
				}
				h.dispatch()
				h.mu.Unlock()
			case taken, dropped:
				h.said(m, f)
			}
			return nil
		})
		h.mu.Lock()
		reached := m.hand == nil || m.hand == w // by no other wire
		h.mu.Unlock()
		if reached {
			h.gone(m)
		}
		over()
		w.close()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.hands = slices.DeleteFunc(h.hands, func(o *wire) bool { return o == w })
	})
}

// present passes the end of a standby's wire on to a worker.
func (m *master) present(slot, life, fd int) {
	defer unix.Close(fd) // if the worker has no copy, the standby sees an end
	for w := range m.living {
		if w.slot.number == slot && w.life == life && w.member != nil && w.member.wire != nil {
			_ = w.member.wire.send(frame{kind: second}, fd) // if its wire has ended, so will it
		}
	}
}

// attendSecond hears what a standby hands over that accepts beside the master. It
// owns fd.
func (l *link) attendSecond(fd int) {
	w, err := wireOf(os.NewFile(uintptr(fd), "wire"))
	if err != nil {
		l.log.Warn("hear a standby", "error", err)
		return
	}
	h := &hearing{l, w, true}
	l.mu.Lock()
	l.hearings = append(slices.Clone(l.hearings), h) // look goes through them unlocked
	l.mu.Unlock()
	go func() { // it ends with the standby, or this process
		if w.send(frame{kind: hello}, -1) == nil {
			_ = w.hear(h.handle)
		}
		l.mu.Lock()
		l.hearings = slices.DeleteFunc(slices.Clone(l.hearings), func(o *hearing) bool { return o == h })
		l.mu.Unlock()
		w.close()
	}()
}

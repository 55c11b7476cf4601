//go:build unix

package cluster

import (
	"context"
	"syscall"
	"time"
)

// stop lets health checks fail for drain.delay, then closes the listener, has
// what has come served, and lets all workers go.
func (m *master) stop() {
	switch {
	case m.stopping:
		return
	case m.ceding: // the listener is another master's
		m.owed = append(m.owed, syscall.SIGTERM)
		return
	}
	m.stopping = true
	bereft := m.bereft // of the standby of an upgrade as well
	m.goAlone()        // a standby would go on with what is to end
	m.announce("the cluster stops")
	for _, s := range m.slots {
		if s.timer != nil {
			s.timer.Stop()
			s.timer = nil
		}
	}
	delay := m.Config.Drain.Delay.Std()
	if delay > 0 {
		for w := range m.living {
			if w.member != nil {
				_ = w.member.send(frame{kind: unready}) // if its wire has ended, so will it
			}
		}
	}
	m.wg.Go(func() {
		// Nobody is left to wait for when the last worker has ended meanwhile.
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		m.wg.Go(func() {
			select {
			case <-m.done:
				cancel()
			case <-ctx.Done():
			}
		})
		pause(ctx, delay)
		if m.Config.Standby == "passive" {
			// What came while only it had the listener would be reset.
			select {
			case <-bereft:
			case <-ctx.Done():
			}
		}
		drained, stop := context.WithTimeout(ctx, m.Config.KillTimeout.Std())
		defer stop()
		m.dispatch.drain(drained)
		select {
		case <-bereft: // an active standby needs the workers until it has drained
		case <-drained.Done():
		}
		m.post(func() {
			for w := range m.living {
				m.leave(w)
			}
		})
	})
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

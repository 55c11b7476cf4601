//go:build unix

package cluster

import "context"

// stop closes the listener, has what has come served, and lets all workers go.
func (m *master) stop() {
	if m.stopping {
		return
	}
	m.stopping = true
	m.announce("the cluster stops")
	for _, s := range m.slots {
		if s.timer != nil {
			s.timer.Stop()
			s.timer = nil
		}
	}
	m.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), m.Config.KillTimeout.Std())
		defer cancel()
		// Nobody is left to wait for when the last worker has ended meanwhile.
		stop := make(chan struct{})
		defer close(stop)
		m.wg.Go(func() {
			select {
			case <-m.done:
				cancel()
			case <-stop:
			}
		})
		m.dispatch.drain(ctx)
		m.post(func() {
			for w := range m.living {
				m.leave(w)
			}
		})
	})
}

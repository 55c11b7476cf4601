//go:build unix

package cluster

import (
	"context"
	"os"
	"syscall"
	"time"
)

// settle answers, as a proxy, what was asked before the next master had the
// listener, and what clients ask meanwhile over connections that they keep: by
// workers that this one need not know.
func (m *master) settle() {
	p, ok := m.dispatch.(*proxy)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.Config.passTime(true))
	defer cancel()
	a := m.beside(p)
	p.pass(ctx)
	a.yield()
}

// passOnTimeout bounds how long a master sees to it that its successor hears.
const passOnTimeout = time.Second

// passOnAll lets the next master have what this one is told from when it has
// handed the cluster over until it has ended: a stop is a stop, whoever hears of
// it. The function that it returns waits for that.
func (m *master) passOnAll(signals <-chan os.Signal) (wait func()) {
	over, passed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(passed)
		for _, sig := range m.owed {
			m.passOn(sig)
		}
		for {
			select {
			case sig := <-signals:
				m.passOn(sig)
				continue
			case <-m.end:
				m.passOn(syscall.SIGTERM)
				m.end = nil
				continue
			case <-over:
			}
			select {
			case sig := <-signals: // came with the end
				m.passOn(sig)
			default:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-passed
	}
}

// passOn lets the next master have a signal, or whoever is master by now.
func (m *master) passOn(sig os.Signal) {
	m.Log.Info("a signal is the next master's", "signal", sig.String(), "pid", m.successor.PID())
	if m.successor.Signal(sig) == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), passOnTimeout)
	defer cancel()
	if sig == syscall.SIGUSR2 {
		_ = Client{m.Dir}.Reload(ctx) // it was told, which is enough
	} else {
		_ = Client{m.Dir}.Stop(ctx)
	}
}

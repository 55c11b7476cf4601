//go:build unix

package cluster

import (
	"net/http"
	"sync"
)

// gate is before a handler that uses what is about to be taken away: closing it
// waits until all have left, and lets nobody in any more.
type gate struct {
	mu     sync.RWMutex
	closed bool
}

// before returns h behind the gate.
func (g *gate) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.RLock()
		defer g.mu.RUnlock()
		if g.closed {
			panic(http.ErrAbortHandler) // its connection has been closed already
		}
		h.ServeHTTP(w, r)
	})
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

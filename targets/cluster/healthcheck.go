//go:build unix

package cluster

import (
	"context"
	"net"
	"net/http"
	"time"
)

// check asks a worker for its health, again and again, until ctx ends. Each
// check is a connection of its own: one that is kept says nothing of new ones.
func (p *pool) check(ctx context.Context, u *upstream, address string) {
	h := p.config.Health
	var dialer net.Dialer
	transport := &http.Transport{DialContext: dialTo(&dialer, address), DisableKeepAlives: true, DisableCompression: true}
	tick := time.NewTicker(h.Interval.Std())
	defer tick.Stop()
	for unexpected := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		good := asks(ctx, transport, h)
		p.mu.Lock()
		down := u.down
		p.mu.Unlock()
		if good != down {
			unexpected = 0
			continue
		}
		enough := h.Fails
		if good {
			enough = h.Passes
		}
		if unexpected++; unexpected < enough || ctx.Err() != nil {
			continue
		}
		unexpected = 0
		p.mu.Lock()
		u.down = !good
		p.mu.Unlock()
		p.log.Info("health of a worker", "worker", u.member.slot, "healthy", good)
	}
}

// asks makes one check; true says that it passed.
func asks(ctx context.Context, t *http.Transport, h *Health) bool {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout.Std())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://worker"+h.Path, nil)
	if err != nil {
		return false
	}
	answer, err := t.RoundTrip(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode >= 200 && answer.StatusCode < 400
}

//go:build unix

package cluster

// figures are what a dispatcher counts.
type figures struct {
	conns    int64            // open to clients, and not with a worker
	inFlight int64            // requests that a proxy works on
	retries  int64            // requests that a proxy sent once more
	refused  map[string]int64 // by reason
	workers  []workerFigures  // behind a proxy
}

// workerFigures are what a proxy counts of one slot.
type workerFigures struct {
	slot     int
	requests int64 // sent to it, those that failed included
	failures int64
	healthy  bool // it is there and may be chosen
}

// counting is a dispatcher that counts.
type counting interface{ figures() figures }

// figures implements counting.
func (h *handoff) figures() figures {
	f := figures{refused: h.refuse.figures(tooMany, tooLate, stops)}
	h.mu.Lock()
	f.conns = int64(h.queue.len())
	h.mu.Unlock()
	h.silent.mu.Lock()
	f.conns += int64(len(h.silent.files))
	h.silent.mu.Unlock()
	return f
}

// figures implements counting.
func (p *proxy) figures() figures {
	f := figures{conns: p.ln.open.Load(), refused: p.turned.figures(tooManyConnections, tooFast)}
	f.workers, f.inFlight, f.retries = p.pool.figures()
	return f
}

// figures are how often a connection or request was refused for these reasons.
func (r *refusal) figures(reasons ...why) map[string]int64 {
	f := map[string]int64{}
	for _, w := range reasons {
		f[whyNames[w]] = r.counts[w].Load()
	}
	return f
}

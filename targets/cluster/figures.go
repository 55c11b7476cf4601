//go:build unix

package cluster

import "github.com/hachaos/hachaos/targets/page"

// figures are what the dispatchers of all masters count.
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
	healthy  bool // it is there and this master may choose it
}

// counting is a dispatcher that counts.
type counting interface{ figures() figures }

// figures implements counting.
func (h *handoff) figures() figures {
	return figures{
		conns:   h.desk.All(page.Waiting) + h.desk.All(page.Conns),
		refused: h.refuse.figures(tooMany, tooLate, stops),
	}
}

// figures implements counting.
func (p *proxy) figures() figures {
	return figures{
		conns: p.desk.All(page.Conns), inFlight: p.desk.All(page.Passing), retries: p.desk.Again.Load(),
		refused: p.turned.figures(tooManyConnections, tooFast), workers: p.pool.figures(),
	}
}

// figures are how often a connection or request was refused for these reasons.
func (r *refusal) figures(reasons ...why) map[string]int64 {
	f := map[string]int64{}
	for _, w := range reasons {
		f[whyNames[w]] = r.counts[w].Load()
	}
	return f
}

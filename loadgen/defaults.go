package loadgen

import (
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

const (
	defaultTimeout      = 5 * time.Second
	defaultFailurePause = 100 * time.Millisecond
	defaultSenders      = 1000
	defaultProbeEvery   = 10 * time.Millisecond
	defaultProbeTimeout = time.Second
)

// SetDefaults fills in what was left out: one GET of /, 5 s of timeout, 1,000
// senders, good statuses 200-399 and so on. What is set, wrongly too, stays.
func (s *Stream) SetDefaults() {
	setDefault(&s.Timeout, units.Duration(defaultTimeout))
	if s.Closed != nil && s.FailurePause == nil {
		pause := units.Duration(defaultFailurePause)
		s.FailurePause = &pause
	}
	if s.Open != nil {
		open := *s.Open
		setDefault(&open.Senders, defaultSenders)
		if open.Keepalive == nil {
			yes := true
			open.Keepalive = &yes
		}
		s.Open = &open
	}
	requests := make([]Request, max(1, len(s.Requests)))
	copy(requests, s.Requests)
	for i := range requests {
		requests[i].SetDefaults()
	}
	s.Requests = requests
}

// SetDefaults fills in what was left out of one request.
func (r *Request) SetDefaults() {
	setDefault(&r.Method, "GET")
	setDefault(&r.Path, "/")
	setDefault(&r.Weight, 1)
	if len(r.Expect.Status) == 0 {
		r.Expect.Status = []StatusRange{{200, 399}}
	}
}

// SetDefaults fills in what was left out of the prober. first is the first
// request of the first stream: its path is asked for unless another is given.
func (p *Probe) SetDefaults(first Request) {
	setDefault(&p.Every, units.Duration(defaultProbeEvery))
	setDefault(&p.Timeout, units.Duration(defaultProbeTimeout))
	setDefault(&p.Path, first.Path)
	setDefault(&p.Path, "/")
	setDefault(&p.Connections, "new")
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

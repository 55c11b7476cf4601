package netproxy

import "sync/atomic"

// Stats are a proxy's counters since it was made. They only grow, but for
// Active.
type Stats struct {
	Proxy       string       `json:"proxy"`
	Connections int64        `json:"connections"`  // accepted
	Active      int64        `json:"active"`       // of them, those that live
	DialErrors  int64        `json:"dial_errors"`  // the upstream could not be reached
	Upstream    Bytes        `json:"upstream"`     // from the clients
	Downstream  Bytes        `json:"downstream"`   // from the upstream
	Toxics      []ToxicStats `json:"toxics"`       // in the order in which they were added; removed ones stay
	AcceptFails int64        `json:"accept_fails"` // connections that could not be accepted: out of descriptors
}

// Bytes counts one direction.
type Bytes struct {
	Received int64 `json:"received"`
	Sent     int64 `json:"sent"`
}

// ToxicStats say what a toxic did.
type ToxicStats struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Stream      string `json:"stream"`
	Connections int64  `json:"connections"` // that it acted on
	Events      int64  `json:"events"`      // how often it acted: chunks delayed, bytes flipped, commands answered, …
	Bytes       int64  `json:"bytes"`       // that it acted on
}

// traffic is what the engine counts.
type traffic struct {
	active      atomic.Int64
	dialErrors  atomic.Int64
	acceptFails atomic.Int64
	received    [2]atomic.Int64
	sent        [2]atomic.Int64
}

// tally counts what a toxic did.
type tally struct {
	name, kind, stream string

	connections atomic.Int64
	events      atomic.Int64
	bytes       atomic.Int64
}

// tallyOf returns the counters for a toxic: those of an earlier one of the same
// name, type and stream go on, so that adding and removing it over and over
// costs nothing.
func (p *Proxy) tallyOf(t *toxic) *tally {
	for _, known := range p.tallies {
		if known.name == t.Name && known.kind == t.Type && known.stream == t.dir.String() {
			return known
		}
	}
	made := &tally{name: t.Name, kind: t.Type, stream: t.dir.String()}
	p.tallies = append(p.tallies, made)
	return made
}

// Stats returns the proxy's counters.
func (p *Proxy) Stats() Stats {
	s := Stats{
		Proxy:       p.name,
		Connections: int64(p.accepted.Load()),
		Active:      p.traffic.active.Load(),
		DialErrors:  p.traffic.dialErrors.Load(),
		AcceptFails: p.traffic.acceptFails.Load(),
		Upstream:    p.traffic.bytes(Upstream),
		Downstream:  p.traffic.bytes(Downstream),
		Toxics:      []ToxicStats{},
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tallies {
		s.Toxics = append(s.Toxics, ToxicStats{
			Name: t.name, Type: t.kind, Stream: t.stream,
			Connections: t.connections.Load(), Events: t.events.Load(), Bytes: t.bytes.Load(),
		})
	}
	return s
}

func (t *traffic) bytes(d Direction) Bytes {
	return Bytes{Received: t.received[d].Load(), Sent: t.sent[d].Load()}
}

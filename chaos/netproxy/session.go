package netproxy

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// session is a connection of a client, both directions: what the loops have in
// common. It is used by one goroutine at a time.
type session struct {
	proxy   *Proxy
	id      uint64 // counts the proxy's connections from 1
	flows   [2]flow
	members []member
}

// member is a toxic of the proxy and what it does to this connection: nothing,
// unless the draw of its toxicity fell on it.
type member struct {
	toxic  *toxic
	active bool
	stages [2]*stage
}

// setChain makes the connection's toxics those of chain, keeping the stages of
// toxics that stay.
func (s *session) setChain(chain []*toxic, now time.Duration) {
	if len(chain) == 0 && len(s.members) == 0 {
		return
	}
	old := s.members
	s.members = make([]member, 0, len(chain))
	var stages [2][]*stage
	for _, t := range chain {
		m := find(old, t)
		switch {
		case m.toxic == nil:
			m = s.join(t)
		case m.toxic != t:
			m = s.change(m, t, now)
		}
		s.members = append(s.members, m)
		for dir, st := range m.stages {
			if st != nil {
				stages[dir] = append(stages[dir], st)
			}
		}
	}
	for dir := range s.flows {
		s.flows[dir].rebuild(stages[dir], now)
	}
}

// find returns the member of the toxic that t is, or was before it changed.
func find(members []member, t *toxic) member {
	for _, m := range members {
		if m.toxic.id == t.id {
			return m
		}
	}
	return member{}
}

func (s *session) join(t *toxic) member {
	m := member{toxic: t}
	if t.act == nil {
		return m
	}
	rng := s.draws(t)
	if m.active = rng.Float32() < t.Toxicity; !m.active {
		return m
	}
	if t.kind.both {
		midway := s.flows[Upstream].begun || s.flows[Downstream].begun
		up := &stage{toxic: t, dir: Upstream, rng: rng, midway: midway}
		down := &stage{toxic: t, dir: Downstream, rng: rng, midway: midway}
		up.peer, down.peer = down, up
		m.stages = [2]*stage{up, down}
	} else {
		m.stages[t.dir] = &stage{toxic: t, dir: t.dir, rng: rng}
	}
	return m
}

// change draws anew whether the toxic acts here, as its toxicity may be another.
func (s *session) change(m member, t *toxic, now time.Duration) member {
	fresh := s.join(t)
	if !m.active || !fresh.active {
		return fresh
	}
	for _, st := range m.stages {
		if st != nil {
			st.change(t, now)
		}
	}
	m.toxic = t
	return m
}

// advance moves both directions to now and returns when it wants to be called
// again. The directions are moved until neither stirs: a protocol toxic that is
// given a reply may let a request go.
func (s *session) advance(now time.Duration) time.Duration {
	for up, down := true, true; up || down; {
		up = s.flows[Upstream].move(now)
		down = s.flows[Downstream].move(now)
	}
	return min(s.flows[Upstream].next(), s.flows[Downstream].next())
}

// blackholed tells whether the connection is one that nobody answers.
func (s *session) blackholed() bool {
	for _, m := range s.members {
		if _, ok := m.toxic.Attributes.(*Blackhole); ok && m.active {
			return true
		}
	}
	return false
}

// draws returns the generator of a toxic's draws on this connection. It depends
// on the seed, the names and the connection's number only, so that the same run
// makes the same draws whatever the timing.
func (s *session) draws(t *toxic) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(s.proxy.name))
	h.Write([]byte{0})
	h.Write([]byte(t.Name))
	return rand.New(rand.NewPCG(s.proxy.server.seed^h.Sum64(), s.id<<16|uint64(t.revision&0xffff)))
}

package netproxy

import "time"

// exchange is what protocol toxics share: a stage in each direction, one state,
// and answers of our own, which must stand behind the answers to what was asked
// before. While one waits for them, the requests behind it wait too.
type exchange struct {
	opaque      bool // the bytes cannot be followed any more: all pass untouched
	outstanding int  // requests that were passed and not yet answered

	// The request that is kept from the upstream. Its bytes are kept until it is
	// answered, so that it can still be passed on when the toxic is removed.
	swallowed []byte
	lossy     bool // it was too large to be kept

	waiting bool // its answer waits for those before it
	answer  []byte
	due     time.Duration
	closing bool   // the connection ends behind it
	backlog []byte // requests that came meanwhile
}

// swallowLimit bounds what is kept of a request that is not passed on.
const swallowLimit = 1 << 20

// swallow keeps a part of a request from the upstream.
func (x *exchange) swallow(part []byte) {
	if len(x.swallowed)+len(part) > swallowLimit {
		x.lossy, x.swallowed = true, nil
	}
	if !x.lossy {
		x.swallowed = append(x.swallowed, part...)
	}
}

// reply answers the swallowed request in place of the upstream: at due, or
// behind the answers to what was asked before.
func (x *exchange) reply(up *stage, answer []byte, due time.Duration, closing bool) {
	x.answer, x.due, x.closing = answer, due, closing
	x.waiting = true
	up.held = true
	if x.outstanding == 0 {
		x.send(up.peer, due)
	}
}

// answered notes that the upstream has answered a request, and sends the answer
// that waited for it. It returns the requests that waited behind that one.
func (x *exchange) answered(down *stage, now time.Duration) (backlog []byte) {
	if x.outstanding > 0 {
		x.outstanding--
	}
	if x.outstanding == 0 && x.waiting {
		x.send(down, now)
		backlog, x.backlog = x.backlog, nil
	}
	return backlog
}

func (x *exchange) send(down *stage, now time.Duration) {
	due := max(x.due, now)
	down.pass(chunk{bytes: x.answer, at: now}, due)
	if x.closing {
		down.pass(chunk{mark: cut, at: now}, due)
	}
	x.answer, x.swallowed, x.waiting, x.lossy = nil, nil, false, false
	down.peer.held = false
}

// release lets everything pass from now on, first what was kept back: kept is
// what the protocol's own parser holds.
func (x *exchange) release(up *stage, kept []byte, now time.Duration) {
	x.opaque = true
	if x.lossy { // the upstream has no part of a request whose rest would come
		up.pass(chunk{mark: cut, at: now}, now)
		return
	}
	kept = append(append(x.swallowed, kept...), x.backlog...)
	x.swallowed, x.backlog, x.answer, x.waiting = nil, nil, nil, false
	up.held = false
	if len(kept) > 0 {
		up.pass(chunk{bytes: kept, at: now}, now)
	}
}

// upper returns the stage of the requests.
func upper(s *stage) *stage {
	if s.dir == Upstream {
		return s
	}
	return s.peer
}

// spread adds ± jitter to a delay, both in milliseconds.
func spread(s *stage, delay, jitter int64) time.Duration {
	d := milliseconds(delay)
	if jitter > 0 {
		j := int64(milliseconds(jitter))
		d += time.Duration(s.rng.Int64N(2*j) - j)
	}
	return max(d, 0)
}

// shared returns the state of both stages of a protocol toxic.
func shared[T any](s *stage) *T {
	if s.state == nil {
		s.state = new(T)
		s.peer.state = s.state
	}
	return s.state.(*T)
}

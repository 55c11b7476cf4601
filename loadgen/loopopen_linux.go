package loadgen

import (
	"math"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// openSource is the share of an open load's requests that a loop sends: every
// of-th. It draws the whole schedule and skips the others' requests, so that
// loops need not agree on anything.
type openSource struct {
	g       *Generator
	loop    *loop
	shard   *shard
	line    line
	skip    int // requests of others before the next of its own
	of      int
	idle    []*lane
	hits    []hit        // by lane: the last request
	freed   []clock.Time // by lane: when that had ended
	bound   int          // of lanes
	busy    int
	timeout time.Duration
}

// newOpenSource makes the source of every of-th request from the first-th on, of
// the schedule that begins at a moment: all sources' must begin at the same.
func newOpenSource(g *Generator, l *loop, first, of int, begin clock.Time) *openSource {
	senders := g.stream.Open.Senders
	return &openSource{
		g: g, loop: l, shard: g.recorder.shard(first), line: newLine(g, begin), skip: first, of: of,
		bound: max(1, (senders-first+of-1)/of), timeout: g.stream.Timeout.Std(),
	}
}

// peek returns when its next request is due; false if there is none.
func (s *openSource) peek() (clock.Time, bool) {
	for {
		due, ok := s.line.peek()
		if !ok || s.skip == 0 {
			return due, ok
		}
		s.line.pop()
		s.skip--
	}
}

func (s *openSource) pop() (clock.Time, *request) {
	s.skip = s.of - 1
	return s.line.pop()
}

func (s *openSource) tend(now clock.Time, most int) clock.Time {
	for range most {
		due, ok := s.peek()
		switch {
		case !ok:
			return endOfTime
		case due > now:
			return due
		case due.Add(s.timeout) <= now:
			s.expire(now)
			continue
		}
		n := s.slot()
		if n == nil {
			// A lane that ends its request takes it; failing that, it times out.
			return due.Add(s.timeout)
		}
		s.begin(n)
		s.loop.advance(n)
		now = clock.Now()
	}
	return now
}

// slot returns an idle lane or a new one; nil if there are as many as may be.
// The one that was busy last is taken, so that few connections are used.
func (s *openSource) slot() *lane {
	if last := len(s.idle) - 1; last >= 0 {
		n := s.idle[last]
		s.idle = s.idle[:last]
		return n
	}
	if len(s.loop.lanes) == s.bound {
		return nil
	}
	s.hits, s.freed = append(s.hits, hit{}), append(s.freed, math.MinInt64)
	return s.loop.newLane()
}

// begin begins the first request of the line on n.
func (s *openSource) begin(n *lane) {
	due, q := s.pop()
	s.busy++
	s.hits[n.index] = s.g.hit(due, s.slotSince(n), q)
	n.o.start, n.o.sent = due, clock.Now()
	s.shard.begin(due)
	n.begin(q, due.Add(s.timeout))
}

// slotSince returns from when on there was a slot for the request that n is given.
func (s *openSource) slotSince(n *lane) clock.Time {
	switch {
	case len(s.loop.lanes) < s.bound:
		return math.MinInt64
	case len(s.idle) > 0:
		return s.freed[s.idle[0].index] // idle for longest
	}
	return s.freed[n.index]
}

// expire gives up the first request of the line.
func (s *openSource) expire(now clock.Time) {
	due, q := s.pop()
	s.g.giveUp(s.shard, due, now, q, len(s.idle) > 0 || len(s.loop.lanes) < s.bound)
}

func (s *openSource) ended(n *lane) bool {
	s.busy--
	if n.o.cause != CauseNone && s.loop.ctx.Err() != nil {
		return false // the run was given up, and this with it
	}
	h := s.hits[n.index]
	s.freed[n.index] = n.o.done
	s.shard.lagged(h.due, n.o.sent.Sub(h.ready), h.free)
	s.shard.record(&n.o)
	for {
		due, ok := s.peek()
		now := s.loop.now
		switch {
		case !ok || due > now:
			s.idle = append(s.idle, n)
			return false
		case due.Add(s.timeout) <= now:
			s.expire(now)
		default:
			s.begin(n)
			return true
		}
	}
}

func (s *openSource) halt() { s.line.cut(clock.Now()) }

func (s *openSource) over() bool {
	_, more := s.peek()
	return !more && s.busy == 0
}

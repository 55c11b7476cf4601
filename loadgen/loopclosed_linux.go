package loadgen

import (
	"container/heap"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// closedSource is the share of a closed load's clients that a loop serves. Each
// of its lanes is a client: it sends, waits for the answer, and sends again.
type closedSource struct {
	g       *Generator
	loop    *loop
	shard   *shard
	pickers []picker // by lane
	resting rests
	left    int // clients that have not ended
	halted  bool

	timeout, think, pause time.Duration
}

// newClosedSource makes the source of every of-th client of g from client first
// on.
func newClosedSource(g *Generator, l *loop, first, of int) *closedSource {
	s := &closedSource{
		g: g, loop: l, shard: g.recorder.shard(first),
		timeout: g.stream.Timeout.Std(), think: g.stream.Closed.Think.Std(), pause: g.stream.FailurePause.Std(),
	}
	for i := first; i < g.stream.Closed.Concurrency; i += of {
		n := l.newLane()
		s.pickers = append(s.pickers, newPicker(g.requests, g.seed, uint64(i)))
		s.resting = append(s.resting, rest{n, g.turn(i)}) // in order
	}
	s.left = len(s.pickers)
	return s
}

func (s *closedSource) tend(now clock.Time, most int) clock.Time {
	for range most {
		if len(s.resting) == 0 {
			return endOfTime
		}
		if next := s.resting[0]; next.until > now && !s.halted {
			return next.until
		}
		n := heap.Pop(&s.resting).(rest).lane
		if s.begin(n, now) {
			s.loop.advance(n)
			now = clock.Now() // the next one begins after what this took
		}
	}
	return now
}

// begin begins n's next request, or ends its client.
func (s *closedSource) begin(n *lane, now clock.Time) bool {
	if s.halted || !s.g.mayStart(now) {
		s.left--
		n.drop()
		return false
	}
	n.o.start, n.o.sent = now, now
	s.shard.begin(now)
	n.begin(s.pickers[n.index].pick(), now.Add(s.timeout))
	return true
}

func (s *closedSource) ended(n *lane) bool {
	if n.o.cause != CauseNone && s.loop.ctx.Err() != nil {
		return false // the run was given up, and this with it
	}
	s.shard.record(&n.o)
	pause := s.think
	if n.o.cause != CauseNone {
		pause = max(pause, s.pause)
	}
	now := s.loop.now
	switch {
	case pause <= 0:
		return s.begin(n, now)
	case now.Add(pause) >= s.g.end:
		s.left--
		n.drop()
	default:
		heap.Push(&s.resting, rest{n, now.Add(pause)})
	}
	return false
}

func (s *closedSource) halt() { s.halted = true }

func (s *closedSource) over() bool { return s.left == 0 }

// rest is a lane that begins no request before a moment; rests are a heap of
// them, the first to go on at its top.
type rest struct {
	lane  *lane
	until clock.Time
}

type rests []rest

func (r rests) Len() int           { return len(r) }
func (r rests) Less(i, j int) bool { return r[i].until < r[j].until }
func (r rests) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *rests) Push(x any)        { *r = append(*r, x.(rest)) }

func (r *rests) Pop() any {
	last := len(*r) - 1
	x := (*r)[last]
	(*r)[last] = rest{}
	*r = (*r)[:last]
	return x
}

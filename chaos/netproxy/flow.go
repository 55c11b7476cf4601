package netproxy

import (
	"math"
	"slices"
	"time"
)

const (
	never = time.Duration(math.MaxInt64)

	// outLimit is how many bytes wait for the receiver before reading stops.
	outLimit = 64 << 10
	// readSize is the most that is read at once on a flow with toxics.
	readSize = 32 << 10
)

// mark says what a chunk is: bytes, or one of the ways in which a stream ends.
type mark uint8

const (
	data  mark = iota
	end        // the sender has finished (FIN): the receiver is told the same
	cut        // both connections are closed
	reset      // both connections are reset (RST)
)

// chunk is what travels through a flow. Its bytes belong to it alone.
type chunk struct {
	bytes []byte
	mark  mark
	at    time.Duration // when it came to where it is
	due   time.Duration // when it goes on
	own   bool          // made by the stage, not received
	loan  []byte        // the loop's buffer that the bytes stand in, to be given back
}

// flow is one direction of a connection: what was read from one side and is not
// yet written to the other. It does no input or output and knows no clock; the
// loop that drives it tells it the time and asks for the next moment at which
// something is due.
type flow struct {
	stages []*stage
	out    queue // for the receiver, now
	begun  bool  // bytes have come
}

// accepts tells whether the flow takes more bytes now.
func (f *flow) accepts() bool {
	if len(f.stages) > 0 {
		return f.stages[0].accepts()
	}
	return f.out.bytes < outLimit
}

// idle tells whether nothing stands between the two sides: no stage, and
// nothing that waits.
func (f *flow) idle() bool { return len(f.stages) == 0 && f.out.len() == 0 }

// held tells whether some stage lets nothing in, for as long as its toxic stays.
func (f *flow) held() bool {
	return slices.ContainsFunc(f.stages, func(s *stage) bool { return s.held })
}

// take gives a chunk to the flow.
func (f *flow) take(c chunk) { f.deliver(0, c) }

func (f *flow) deliver(i int, c chunk) {
	if i < len(f.stages) {
		f.stages[i].take(c)
		return
	}
	f.out.push(c)
}

// next returns when the flow has something to move: never if it waits for
// something else than time.
func (f *flow) next() time.Duration {
	next := never
	for i, s := range f.stages {
		if s.queue.len() > 0 && !f.blocked(i) {
			next = min(next, s.queue.first().due)
		}
	}
	return next
}

// move passes on, stage by stage, what is due, and tells whether anything was.
// A chunk reaches the next stage at the moment at which it was due, not at the
// later one at which this is called: lateness does not add up.
func (f *flow) move(now time.Duration) bool {
	moved := false
	for i, s := range f.stages {
		for s.queue.len() > 0 && s.queue.first().due <= now {
			if f.blocked(i) {
				s.late = true
				break
			}
			c := s.queue.pop()
			c.at, c.own = c.due, false
			if s.late {
				c.at, s.late = now, false
			}
			f.deliver(i+1, c)
			moved = true
		}
	}
	return moved
}

// blocked tells whether what comes after stage i takes nothing now.
func (f *flow) blocked(i int) bool {
	if i+1 < len(f.stages) {
		return !f.stages[i+1].accepts()
	}
	return f.out.bytes >= outLimit
}

// rebuild replaces the stages. What the stages that go still hold goes on at
// once, before everything that stands behind it.
func (f *flow) rebuild(stages []*stage, now time.Duration) {
	old := f.stages
	for i := len(old) - 1; i >= 0; i-- {
		s := old[i]
		if slices.Contains(stages, s) {
			continue
		}
		var next *stage
		for _, later := range old[i+1:] {
			if slices.Contains(stages, later) {
				next = later
				break
			}
		}
		s.leave(now)
		for s.queue.len() > 0 {
			c := s.queue.pop()
			switch {
			case c.own: // what the toxic had in mind is off
			case next != nil:
				c.at = now
				next.take(c)
			default:
				f.out.push(c)
			}
		}
	}
	f.stages = stages
	for _, s := range stages {
		if !slices.Contains(old, s) {
			s.start(now)
		}
	}
}

// queue is a queue of chunks that counts its bytes.
type queue struct {
	chunks []chunk
	head   int
	bytes  int
}

func (q *queue) len() int      { return len(q.chunks) - q.head }
func (q *queue) first() *chunk { return &q.chunks[q.head] }

func (q *queue) push(c chunk) {
	if q.head > 32 && q.head*2 > len(q.chunks) {
		n := copy(q.chunks, q.chunks[q.head:])
		clear(q.chunks[n:])
		q.chunks, q.head = q.chunks[:n], 0
	}
	q.chunks = append(q.chunks, c)
	q.bytes += len(c.bytes)
}

func (q *queue) pop() chunk {
	c := q.chunks[q.head]
	q.chunks[q.head] = chunk{}
	q.head++
	q.bytes -= len(c.bytes)
	if q.head == len(q.chunks) {
		q.chunks, q.head = q.chunks[:0], 0
		if cap(q.chunks) > 256 {
			q.chunks = nil
		}
	}
	return c
}

// skip takes n bytes off the first chunk, and the chunk when nothing is left.
func (q *queue) skip(n int) {
	c := q.first()
	if n == len(c.bytes) {
		q.pop()
		return
	}
	c.bytes = c.bytes[n:]
	q.bytes -= n
}

// drain empties the queue and returns what it held.
func (q *queue) drain() []chunk {
	chunks := q.chunks[q.head:]
	*q = queue{}
	return chunks
}

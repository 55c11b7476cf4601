package netproxy

import (
	"math/rand/v2"
	"time"
)

// stage is one toxic at work on one direction of one connection: a queue of
// chunks, each with the moment at which it goes on.
type stage struct {
	toxic  *toxic
	dir    Direction
	peer   *stage // the toxic's stage in the other direction, for those that have both
	queue  queue
	held   bool // nothing enters
	late   bool // the first chunk was due while what comes next was full
	hit    bool // the connection is counted
	midway bool // bytes had passed on the connection when the toxic came
	rng    *rand.Rand

	// What the kinds remember.
	busy   time.Duration // bandwidth: until when it sends what it has
	passed int64         // limit_data: bytes that went through
	over   bool          // limit_data, reset_peer: nothing goes on any more
	lost   float64       // packet_loss: the last draw
	state  any           // protocol toxics: shared by both directions
}

// streamToxic is a toxic that acts on bytes. take is given every chunk in order
// and calls [stage.pass] for what is to go on.
type streamToxic interface {
	take(s *stage, c chunk)
}

// Optional methods of a streamToxic.
type (
	// starter is told when the toxic begins to act on a connection, or changes.
	starter interface {
		start(s *stage, now time.Duration)
	}
	// leaver is told when the toxic ends for a connection; what it passes then
	// goes on at once.
	leaver interface {
		leave(s *stage, now time.Duration)
	}
	// roomer says how many bytes a stage may hold.
	roomer interface {
		room() int
	}
)

func (s *stage) take(c chunk) { s.toxic.act.take(s, c) }

// pass lets c go on at due, or when everything before it has.
func (s *stage) pass(c chunk, due time.Duration) {
	c.due = due
	s.queue.push(c)
}

// accepts tells whether the stage takes more now.
func (s *stage) accepts() bool {
	if s.held {
		return false
	}
	room := outLimit
	if r, ok := s.toxic.act.(roomer); ok {
		room = r.room()
	}
	return s.queue.bytes < room
}

func (s *stage) start(now time.Duration) {
	if st, ok := s.toxic.act.(starter); ok {
		st.start(s, now)
	}
}

func (s *stage) leave(now time.Duration) {
	if l, ok := s.toxic.act.(leaver); ok {
		l.leave(s, now)
	}
}

// change gives the stage the toxic's new attributes. What waits is planned
// anew, from when it came.
func (s *stage) change(t *toxic, now time.Duration) {
	s.toxic = t
	chunks := s.queue.drain()
	s.start(now)
	for _, c := range chunks {
		switch {
		case c.own:
		case c.due <= now:
			s.queue.push(c)
		default:
			s.take(c)
		}
	}
}

// count notes that the toxic did something, to n bytes.
func (s *stage) count(n int) {
	t := s.toxic.tally
	if !s.hit {
		s.hit = true
		t.connections.Add(1)
	}
	t.events.Add(1)
	t.bytes.Add(int64(n))
}

package netproxy

import "time"

// Blackhole lets nothing pass in either direction and connects new connections
// to nothing: they are accepted, and then there is silence. No byte is lost;
// what came meanwhile goes on when the toxic is removed.
type Blackhole struct{}

func (*Blackhole) check() error                    { return nil }
func (*Blackhole) start(s *stage, _ time.Duration) { hold(s) }
func (*Blackhole) take(s *stage, c chunk)          { s.pass(c, never) }

// HalfOpen makes the direction of its stream dead: neither bytes nor an end nor
// a reset arrive, while the other direction works. No byte is lost; what came
// meanwhile goes on when the toxic is removed.
type HalfOpen struct{}

func (*HalfOpen) check() error                    { return nil }
func (*HalfOpen) start(s *stage, _ time.Duration) { hold(s) }
func (*HalfOpen) take(s *stage, c chunk)          { s.pass(c, never) }

func hold(s *stage) {
	s.held = true
	s.count(0)
}

package netproxy

import (
	"fmt"
	"time"
)

// Slicer cuts the bytes into pieces of AverageSize ± SizeVariation bytes, each
// a write of its own, Delay microseconds apart.
type Slicer struct {
	AverageSize   int `json:"average_size"`
	SizeVariation int `json:"size_variation"`
	Delay         int `json:"delay"`
}

func (a *Slicer) check() error {
	for name, v := range map[string]int{"average_size": a.AverageSize, "size_variation": a.SizeVariation, "delay": a.Delay} {
		if v < 0 {
			return fmt.Errorf("%s %d is negative", name, v)
		}
	}
	return nil
}

func (a *Slicer) take(s *stage, c chunk) {
	if c.mark != data {
		s.pass(c, max(c.at, s.busy))
		return
	}
	due := max(c.at, s.busy)
	for rest := c.bytes; len(rest) > 0; {
		n := min(a.size(s), len(rest))
		s.pass(chunk{bytes: rest[:n:n], at: c.at}, due)
		s.count(n)
		rest = rest[n:]
		due += time.Duration(min(a.Delay, 1<<40)) * time.Microsecond
	}
	s.busy = due
}

// size draws the size of a piece: at least a byte.
func (a *Slicer) size(s *stage) int {
	n := a.AverageSize
	if v := min(a.SizeVariation, 1<<30); v > 0 {
		n += s.rng.IntN(2*v+1) - v
	}
	return max(n, 1)
}

// Noop does nothing.
type Noop struct{}

func (*Noop) check() error { return nil }

package netproxy

import "time"

// Bandwidth limits the rate to Rate × 1000 bytes per second. At 0 nothing
// passes until the rate is changed or the toxic removed.
type Bandwidth struct {
	Rate int64 `json:"rate"`
}

func (a *Bandwidth) check() error { return notNegative("rate", a.Rate) }

// room is what the sender is ahead of the rate: 50 ms, so that the reads need
// not be on time for the rate to be right.
func (a *Bandwidth) room() int {
	return int(max(4<<10, min(min(a.Rate, 1<<20)*50, 256<<10)))
}

func (a *Bandwidth) start(s *stage, now time.Duration) { s.busy = now }

func (a *Bandwidth) take(s *stage, c chunk) {
	if a.Rate == 0 {
		s.pass(c, never)
		return
	}
	s.count(len(c.bytes))
	s.busy = max(s.busy, c.at)
	// Ten milliseconds' worth at a time, as a slow line delivers it.
	piece := int(max(1, min(a.Rate, 1<<20)*10))
	for len(c.bytes) > piece {
		s.pass(chunk{bytes: c.bytes[:piece:piece], at: c.at}, a.after(s, piece))
		c.bytes = c.bytes[piece:]
	}
	s.pass(c, a.after(s, len(c.bytes)))
}

// after returns when n more bytes are through.
func (a *Bandwidth) after(s *stage, n int) time.Duration {
	s.busy += time.Duration(int64(n) * int64(time.Millisecond) / a.Rate)
	return s.busy
}

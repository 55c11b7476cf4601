package netproxy

import "time"

// SlowClose delays the end of a connection by delay milliseconds, not its bytes.
type SlowClose struct {
	Delay int64 `json:"delay"`
}

func (a *SlowClose) check() error { return notNegative("delay", a.Delay) }

func (a *SlowClose) take(s *stage, c chunk) {
	due := c.at
	if c.mark != data {
		due += milliseconds(a.Delay)
		s.count(0)
	}
	s.pass(c, due)
}

// Timeout drops all bytes and closes the connection once none has come for
// timeout milliseconds, or, at 0, when the toxic is removed: the bytes are
// missing, so the connection cannot go on.
type Timeout struct {
	Timeout int64 `json:"timeout"`
}

func (a *Timeout) check() error { return notNegative("timeout", a.Timeout) }

func (a *Timeout) start(s *stage, now time.Duration) { a.arm(s, now) }

func (a *Timeout) take(s *stage, c chunk) {
	s.count(len(c.bytes))
	if c.mark != data {
		s.queue.drain()
		s.pass(c, c.at)
		return
	}
	a.arm(s, c.at)
}

func (a *Timeout) arm(s *stage, now time.Duration) {
	s.queue.drain()
	if a.Timeout > 0 {
		s.pass(chunk{mark: cut, at: now, own: true}, now+milliseconds(a.Timeout))
	}
}

func (a *Timeout) leave(s *stage, now time.Duration) {
	s.queue.drain()
	s.pass(chunk{mark: cut, at: now}, now)
}

// ResetPeer resets both connections timeout milliseconds after the first bytes,
// or the end, have come. Nothing passes.
type ResetPeer struct {
	Timeout int64 `json:"timeout"`
}

func (a *ResetPeer) check() error { return notNegative("timeout", a.Timeout) }

func (a *ResetPeer) start(s *stage, _ time.Duration) { s.over = false }

func (a *ResetPeer) take(s *stage, c chunk) {
	if s.over {
		return
	}
	s.over = true
	s.count(len(c.bytes))
	s.pass(chunk{mark: reset, at: c.at, own: true}, c.at+milliseconds(a.Timeout))
}

// LimitData closes the connection after Bytes bytes have passed.
type LimitData struct {
	Bytes int64 `json:"bytes"`
}

func (a *LimitData) check() error { return notNegative("bytes", a.Bytes) }

func (a *LimitData) start(s *stage, _ time.Duration) {}

func (a *LimitData) take(s *stage, c chunk) {
	if s.over {
		return
	}
	if c.mark != data {
		s.pass(c, c.at)
		return
	}
	left := max(a.Bytes-s.passed, 0)
	if n := int64(len(c.bytes)); n < left {
		s.passed += n
		s.pass(c, c.at)
		return
	}
	s.over = true
	s.count(len(c.bytes) - int(left))
	s.passed += left
	if left > 0 {
		s.pass(chunk{bytes: c.bytes[:left], at: c.at}, c.at)
	}
	s.pass(chunk{mark: cut, at: c.at}, c.at)
}

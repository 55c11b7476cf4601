package netproxy

import "time"

// Latency delays what passes by latency ± jitter milliseconds. The bytes keep
// their order: one that is delayed less waits for those before it.
type Latency struct {
	Latency int64 `json:"latency"`
	Jitter  int64 `json:"jitter"`
}

func (a *Latency) check() error {
	if err := notNegative("latency", a.Latency); err != nil {
		return err
	}
	return notNegative("jitter", a.Jitter)
}

// room is what may be under way at once: 16 MiB is 128 Mbit/s for a second.
func (a *Latency) room() int { return 16 << 20 }

func (a *Latency) take(s *stage, c chunk) {
	if c.mark != data {
		s.pass(c, c.at) // as soon as the bytes before it are through, as in Toxiproxy
		return
	}
	s.count(len(c.bytes))
	s.pass(c, c.at+spread(s, a.Latency, a.Jitter))
}

// milliseconds converts an attribute, which may be larger than a duration holds.
func milliseconds(ms int64) time.Duration {
	const most = int64(never / time.Millisecond / 4)
	return time.Duration(min(ms, most)) * time.Millisecond
}

package netproxy

import (
	"fmt"
	"math"
	"time"
)

// segment is what a lost packet holds: an Ethernet frame less the headers.
const segment = 1448

// PacketLoss stalls the stream as lost packets do. TCP sends them again, so no
// byte is missing: each loss costs a retransmission timeout, doubled for every
// further loss of the same packet, and what stands behind it waits too.
type PacketLoss struct {
	Rate        float64 `json:"rate"`        // the share of packets that are lost, 0…1
	Correlation float64 `json:"correlation"` // how much each draw depends on the one before, 0…1
	RTO         int64   `json:"rto"`         // first retransmission timeout, in milliseconds; default 200, Linux's least
}

func (a *PacketLoss) check() error {
	if err := share("rate", a.Rate); err != nil {
		return err
	}
	if err := share("correlation", a.Correlation); err != nil {
		return err
	}
	if a.RTO < 1 {
		return fmt.Errorf("rto %d: at least 1 ms", a.RTO)
	}
	return nil
}

func (a *PacketLoss) start(s *stage, _ time.Duration) { s.lost = s.rng.Float64() }

func (a *PacketLoss) take(s *stage, c chunk) {
	stall := time.Duration(0)
	packets := max(1, (len(c.bytes)+segment-1)/segment)
	for range packets {
		rto := milliseconds(a.RTO)
		// A packet gives up after 15 retransmissions (tcp_retries2); the
		// timeout stops doubling at two minutes (RFC 6298 §2.4 allows a bound).
		for range 15 {
			if !a.loses(s) {
				break
			}
			stall += rto
			rto = min(2*rto, 2*time.Minute)
			s.count(min(len(c.bytes), segment))
		}
	}
	s.pass(c, c.at+stall)
}

// loses draws whether a packet is lost. The draws are correlated as netem's
// are: each is a mean of a fresh one and the one before.
func (a *PacketLoss) loses(s *stage) bool {
	s.lost = (1-a.Correlation)*s.rng.Float64() + a.Correlation*s.lost
	return s.lost < a.Rate
}

// Corrupt flips one bit in a share of the bytes.
type Corrupt struct {
	Rate float64 `json:"rate"` // the share of bytes, 0…1
}

func (a *Corrupt) check() error { return share("rate", a.Rate) }

func (a *Corrupt) take(s *stage, c chunk) {
	for i := a.gap(s); i < len(c.bytes); i += 1 + a.gap(s) {
		c.bytes[i] ^= 1 << s.rng.IntN(8)
		s.count(1)
	}
	s.pass(c, c.at)
}

// gap draws how many bytes stay whole before the next one that does not: a
// geometric distribution, one draw for each flip instead of one for each byte.
func (a *Corrupt) gap(s *stage) int {
	switch {
	case a.Rate == 0:
		return math.MaxInt
	case a.Rate == 1:
		return 0
	}
	gap := math.Log(1-s.rng.Float64()) / math.Log1p(-a.Rate)
	if gap > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(gap)
}

package loadgen

import (
	"math/bits"
	"slices"
	"time"
)

// Spread is a small histogram of latencies for charts: 16 steps per doubling,
// so that a quantile is right to 3 %. Its size follows the largest value, from
// a few bytes to 2 KiB. Its zero value is empty.
type Spread []uint32

// spreadLimit is the largest value in microseconds; what is longer counts as it.
const spreadLimit = 1<<32 - 1

func spreadIndex(us int64) int {
	us = min(max(us, 0), spreadLimit)
	if us < 16 {
		return int(us)
	}
	exp := bits.Len64(uint64(us)) - 5
	return exp*16 + int(us>>exp)
}

// spreadValue is the middle of a step, in microseconds.
func spreadValue(i int) float64 {
	if i < 32 {
		return float64(i)
	}
	exp := i/16 - 1
	return (float64(i-exp*16) + 0.5) * float64(int64(1)<<exp)
}

func (s *Spread) add(us int64) {
	i := spreadIndex(us)
	if i >= len(*s) {
		*s = append(*s, make([]uint32, i+1-len(*s))...)
	}
	(*s)[i]++
}

func (s *Spread) merge(t Spread) {
	if len(t) > len(*s) {
		*s = append(*s, make([]uint32, len(t)-len(*s))...)
	}
	for i, n := range t {
		(*s)[i] += n
	}
}

func (s Spread) clone() Spread { return slices.Clone(s) }

// Quantile returns the value below which the share q (0…1) of the latencies
// lies; 0 if there are none.
func (s Spread) Quantile(q float64) time.Duration {
	total := uint64(0)
	for _, n := range s {
		total += uint64(n)
	}
	rank, below := q*float64(total), uint64(0)
	for i, n := range s {
		if below += uint64(n); n > 0 && float64(below) >= rank {
			return time.Duration(spreadValue(i) * float64(time.Microsecond))
		}
	}
	return 0
}

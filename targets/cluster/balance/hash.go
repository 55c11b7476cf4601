package balance

import (
	"encoding/binary"
	"hash/fnv"
	"math"
)

// consistent chooses by the key alone: weighted rendezvous hashing (Thaler and
// Ravishankar 1998; weights by −w/ln h). A backend that goes moves only the keys
// that it had, and one that comes takes only its share.
type consistent struct{}

func (consistent) Pick(candidates []Candidate, key string) int {
	best, highest := 0, math.Inf(-1)
	for i, c := range candidates {
		if score := -c.Weight / math.Log(point(key, c.Slot)); score > highest {
			best, highest = i, score
		}
	}
	return best
}

// point hashes a key and a slot to a number between 0 and 1.
func point(key string, slot int) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // it never fails
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(slot)))
	// FNV's last bytes hardly reach its high bits; this is SplitMix64's finish.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return (float64(x>>11) + 0.5) / (1 << 53)
}

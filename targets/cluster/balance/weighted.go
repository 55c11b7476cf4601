package balance

// smooth is nginx's smooth weighted round robin: each turn every backend gains
// its weight, the richest is chosen and pays the sum of all weights. With the
// weights 5, 1, 1 it chooses a a b a c a a, not a a a a a b c.
type smooth struct{ current map[int]float64 }

func (s *smooth) Pick(candidates []Candidate, _ string) int {
	best, total := 0, 0.0
	for i, c := range candidates {
		total += c.Weight
		s.current[c.Slot] += c.Weight
		if s.current[c.Slot] > s.current[candidates[best].Slot] {
			best = i
		}
	}
	s.current[candidates[best].Slot] -= total
	s.forget(candidates)
	return best
}

// forget lets those that are no candidates any more begin anew when they come
// back: what they had gained or owed would give them a row of turns, or none.
func (s *smooth) forget(candidates []Candidate) {
	if len(s.current) == len(candidates) {
		return
	}
	kept := make(map[int]float64, len(candidates))
	for _, c := range candidates {
		kept[c.Slot] = s.current[c.Slot]
	}
	s.current = kept
}

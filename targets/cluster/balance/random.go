package balance

import "math/rand/v2"

// random draws by weight.
type random struct{ *rand.Rand }

func (r random) Pick(candidates []Candidate, _ string) int { return draw(r.Rand, candidates, -1) }

// randomTwo draws two by weight and takes the one with less to do (Mitzenmacher,
// The Power of Two Choices, 2001).
type randomTwo struct{ *rand.Rand }

func (r randomTwo) Pick(candidates []Candidate, _ string) int {
	one := draw(r.Rand, candidates, -1)
	if len(candidates) == 1 {
		return one
	}
	two := draw(r.Rand, candidates, one)
	if connections(candidates[two], nil) < connections(candidates[one], nil) {
		return two
	}
	return one
}

// draw chooses by weight among all but one.
func draw(r *rand.Rand, candidates []Candidate, but int) int {
	total := 0.0
	for i, c := range candidates {
		if i != but {
			total += c.Weight
		}
	}
	at, last := r.Float64()*total, 0
	for i, c := range candidates {
		if i == but {
			continue
		}
		if at -= c.Weight; at < 0 {
			return i
		}
		last = i
	}
	return last // rounding left a crumb
}

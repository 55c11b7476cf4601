package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// byRepetition judges a difference in downtime, of which the interval says too
// little, by the repetitions of the faults that both sides had: a side on which
// nothing was ever down has a wide interval, for what it may not have shown, but
// five crashes without downtime against five with it are evidence all the same.
//
// It is the permutation test of the difference of means (Fisher, The Design of
// Experiments, 1935; Pitman 1937), within each fault, at 1 % as the intervals of
// a pair are. It takes the repetitions of a fault for exchangeable, as those
// intervals do.
func (d *Difference) byRepetition(from, to []*Report) {
	a, b := downtimes(from), downtimes(to)
	names := repeated(a, b)
	if len(names) == 0 {
		return
	}
	p, more := permutationTest(names, a, b)
	if p >= 1-pairLevel {
		return
	}
	d.Word = Better
	if more {
		d.Word = Worse
	}
	n, m := 0, 0
	for _, name := range names {
		n, m = n+len(a[name]), m+len(b[name])
	}
	d.Reason = fmt.Sprintf("the interval holds outages possible that neither side showed; %d faults here against %d there differ by more than chance (permutation test, %s)", n, m, chance(p))
}

// repeated are the names of the faults that struck often enough on both sides.
func repeated(a, b map[string][]float64) []string {
	var names []string
	for name := range a {
		if len(a[name]) >= minRepetitions && len(b[name]) >= minRepetitions {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// chance is "p = 0.008".
func chance(p float64) string {
	if p < 0.001 {
		return "p < 0.001"
	}
	return fmt.Sprintf("p = %.3f", p)
}

// downtimes returns the downtime of each repetition of each fault, by its name;
// nil if one is unknown.
func downtimes(runs []*Report) map[string][]float64 {
	all := map[string][]float64{}
	for _, r := range runs {
		for _, f := range r.Faults {
			switch {
			case f.State != "done":
			case f.DownS == nil:
				return nil
			default:
				all[f.Name] = append(all[f.Name], *f.DownS)
			}
		}
	}
	return all
}

// permutations is how many are drawn; the smallest p is 1 in as many.
const permutations = 20_000

// permutationTest returns the share of reassignments of the repetitions to the
// two sides that differ at least as much as they did, and whether b has more. A
// share that is too large to be evidence is no more than a lower bound: as soon as
// that is certain, no more are drawn.
func permutationTest(names []string, a, b map[string][]float64) (p float64, more bool) {
	var pools [][]float64
	for _, name := range names {
		pools = append(pools, slices.Concat(a[name], b[name]))
	}
	difference := func() (sum float64) {
		for i, name := range names {
			n := len(a[name])
			sum += meanOf(pools[i][n:]) - meanOf(pools[i][:n])
		}
		return sum
	}
	const rounding = 1e-9
	seen := difference()
	r := rand.New(rand.NewPCG(1935, 1937))
	as := 1 // the assignment that happened
	for drawn := 1; drawn < permutations && float64(as) < (1-pairLevel)*permutations; drawn++ {
		for _, pool := range pools {
			r.Shuffle(len(pool), func(i, k int) { pool[i], pool[k] = pool[k], pool[i] })
		}
		if math.Abs(difference()) >= math.Abs(seen)-rounding {
			as++
		}
	}
	return float64(as) / permutations, seen > 0
}

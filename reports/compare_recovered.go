package reports

import (
	"cmp"
	"fmt"
	"slices"
)

// byRecovered judges recovery where a side did not recover from a fault, so that
// there is no figure of it: by how often that was.
//
// The test is that of [Difference.byRepetition]. What strikes a service that has
// not recovered from the fault before is no repetition of its own: a run that is
// down to its end says so once, and one such run may be chance.
func (d *Difference) byRecovered(from, to *Side) {
	a, struckA, unwatchedA := recovered(from.runs)
	b, struckB, unwatchedB := recovered(to.runs)
	if unwatchedA || unwatchedB {
		return
	}
	if struckA.not+struckB.not == 0 || struckA.all == 0 || struckB.all == 0 {
		return
	}
	d.Unrecovered = &[2]int{struckA.not, struckB.not}
	counts := fmt.Sprintf("%s did not recover from %d of %s, %s from %d of %d", from.Label, struckA.not, countOf(int64(struckA.all), "fault"), to.Label, struckB.not, struckB.all)
	p, more := 1.0, false
	if names := repeated(a, b); len(names) > 0 {
		p, more = permutationTest(names, a, b)
	}
	switch {
	case p >= 1-pairLevel:
		d.Reason = counts + ": that may be chance (a run that stays down says so once; --repeat 5)"
		return
	case more:
		d.Word = Worse
	default:
		d.Word = Better
	}
	d.Reason = counts + fmt.Sprintf(", more than chance makes of it (permutation test, %s)", chance(p))
}

// struckCount is how many faults struck, and how many of them were not recovered
// from.
type struckCount struct{ all, not int }

// recovered returns of each repetition of each fault, by its name, 0 if it was
// recovered from and 1 if it was not, without those that struck what was not
// recovered; all of them are in the count. unwatched tells that nobody saw whether
// a run recovered.
func recovered(runs []*Report) (by map[string][]float64, n struckCount, unwatched bool) {
	by = map[string][]float64{}
	for _, r := range runs {
		if r.Verdict == Interrupted || r.Verdict == Error {
			continue // it may have ended before it could recover
		}
		broken := false
		for _, f := range slices.SortedStableFunc(slices.Values(r.Faults), func(a, b Fault) int { return cmp.Compare(a.StartS, b.StartS) }) {
			if f.State != "done" || f.since() >= r.DurationS {
				continue // it did not strike, or nobody looked afterwards
			}
			if r.Availability.Uptime == nil {
				return nil, n, true
			}
			was := broken
			n.all++
			if broken = f.RecoveryS == nil; !broken {
				by[f.Name] = append(by[f.Name], 0)
				continue
			}
			n.not++
			if !was {
				by[f.Name] = append(by[f.Name], 1)
			}
		}
	}
	return by, n, false
}

// since is the moment that the fault's recovery counts from, in seconds.
func (f *Fault) since() float64 {
	if f.Lasting && !f.VictimsEnded {
		return f.EndS
	}
	return f.StartS
}

// isUntold tells whether nothing can be told of a pair; see [Pair.untold].
func (p Pair) isUntold() bool { return p.untold() != "" }

// untold says why a pair in which nothing is worse is no evidence that nothing is;
// "" if it is some, or something is worse.
func (p *Pair) untold() string {
	told, unrecovered := false, false
	for _, d := range p.Differences {
		if d.Word == Worse {
			return ""
		}
		told = told || d.Word != TooLittle
		// Of what there is a figure all was recovered from.
		unrecovered = unrecovered || d.Word == TooLittle && d.From != nil && d.Unrecovered != nil && d.Unrecovered[1] > 0
	}
	switch {
	case !told:
		return fmt.Sprintf("nothing can be told of %s against %s: every difference is too little (--repeat 5 gives intervals something to stand on)", p.To, p.From)
	case unrecovered:
		return fmt.Sprintf("%s did not recover from all that %s did: too little to call it worse, and too much to pass it over (--repeat 5)", p.To, p.From)
	}
	return ""
}

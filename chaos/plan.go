package chaos

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// Shot is one planned repetition of a fault.
type Shot struct {
	Fault *Fault
	N     int           // 1 for the first repetition
	At    time.Duration // when it is due, from t = 0, its jitter included
	Draw  uint64        // what its victims are drawn by
}

// ID names the shot: "crash#1".
func (s Shot) ID() string { return fmt.Sprintf("%s#%d", s.Fault.Name, s.N) }

// Order returns the slots 1 to total in the order in which a random pick takes
// them. It depends on nothing but the seed, the fault's name and the repetition.
func (s Shot) Order(total int) []int {
	order := rand.New(rand.NewPCG(s.Draw, uint64(s.N))).Perm(total)
	for i := range order {
		order[i]++
	}
	return order
}

// Plan lays out every repetition of every fault, by time. Each fault draws from
// a generator of its own, seeded by seed and its name, so that adding a fault
// does not move the others. A repetition k (from 0) is due at
// at + k·every + U[0, jitter]; none is due at or after end, the end of the load,
// unless end is 0: then it is unknown and every fault is bounded by count or
// until.
func Plan(seed uint64, faults []Fault, end time.Duration) []Shot {
	var shots []Shot
	for i := range faults {
		f := &faults[i]
		h := fnv.New64a()
		h.Write([]byte(f.Name))
		draws := rand.New(rand.NewPCG(seed, h.Sum64()))
		for k := 0; f.repeats(k, end); k++ {
			// Both are drawn every time, so that setting a jitter changes no victim.
			jitter, draw := draws.Float64(), draws.Uint64()
			at := f.nominal(k) + time.Duration(jitter*float64(f.Jitter))
			if end == 0 || at < end {
				shots = append(shots, Shot{Fault: f, N: k + 1, At: at, Draw: draw})
			}
		}
	}
	slices.SortStableFunc(shots, func(a, b Shot) int { return int(min(max(a.At-b.At, -1), 1)) })
	return shots
}

func (f *Fault) nominal(k int) time.Duration { return f.At.Std() + time.Duration(k)*f.Every.Std() }

// repeats tells whether there is a repetition k.
func (f *Fault) repeats(k int, end time.Duration) bool {
	at := f.nominal(k)
	switch {
	case end > 0 && at >= end, f.Until > 0 && at > f.Until.Std():
		return false
	case f.Count > 0:
		return k < f.Count
	case f.Every <= 0:
		return k == 0
	}
	return end > 0 || f.Until > 0
}

// Victims returns the slots that the shot will hit if the target has total
// workers; nil if that is known only when it strikes, empty if it hits none.
func (s Shot) Victims(total int) []int {
	sel := s.Fault.selector()
	switch {
	case sel == nil || sel.Process != "" || sel.Dependency != "":
		return []int{}
	case total == 0 || sel.Match != "" || sel.Pick == "oldest" || sel.Pick == "newest":
		return nil
	case sel.Workers.All:
		return slices.Sorted(slices.Values(s.Order(total)))
	}
	return s.Order(total)[:min(max(sel.Workers.N, 1), total)]
}

// selector returns the selector of a process fault; nil of any other.
func (f *Fault) selector() *Selector {
	switch {
	case f.Kill != nil:
		return &f.Kill.Selector
	case f.Pause != nil:
		return &f.Pause.Selector
	case f.Exit != nil:
		return &f.Exit.Selector
	case f.Stop != nil:
		return &f.Stop.Selector
	}
	return nil
}

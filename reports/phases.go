package reports

import (
	"sort"
	"time"
)

// foldPhases counts the load before, during and after each fault, by the moment
// requests finished: before it from when the fault before acted no more (or t = 0)
// to its start, during it for as long as it acts, after it until the next fault's
// start or the end of the load. Where faults overlap, a phase has no length and no
// requests.
//
// Good answers are known to a step of [loadgen.Goods], failures to a
// [loadgen.Cell] and here to no less than such a step, so that both count alike;
// one is put into the phase in which it ends, so that what a fault broke in its
// first 10 ms counts as during it.
func foldPhases(run *Run, ws []window, faults []Fault) {
	if len(ws) == 0 {
		return
	}
	// The phases tile the time: quiet, fault, quiet, fault, …, quiet.
	edges := make([]time.Duration, 0, 2*len(ws)+2)
	edges = append(edges, 0)
	for _, w := range ws {
		over := min(w.acts, w.end, max(run.Duration, w.event.Start))
		edges = append(edges, w.event.Start, max(over, w.event.Start))
	}
	edges = append(edges, max(run.Duration, edges[len(edges)-1]))
	phases := make([]Phase, len(edges)-1)
	for i := range phases {
		phases[i] = Phase{FromS: seconds(edges[i]), ToS: seconds(edges[i+1])}
	}
	// What finished after the load's end belongs to the last phase that is any.
	last := len(phases) - 1
	for last > 0 && edges[last] == edges[last+1] {
		last--
	}
	at := func(ends time.Duration) *Phase {
		i := sort.Search(len(phases), func(i int) bool { return edges[i+1] >= ends })
		return &phases[min(i, last)]
	}
	for _, rec := range run.Loads {
		for i, n := range rec.Goods.N {
			at(time.Duration(i+1) * rec.Goods.Width).OK += int64(n)
		}
		for _, c := range rec.Cells {
			ended := c.Ended()
			if step := rec.Goods.Width; step > 0 {
				ended = (ended + step - 1) / step * step
			}
			at(ended).Failed += int64(c.Failed)
		}
	}
	for i := range phases {
		p := &phases[i]
		p.Availability = ratio(p.OK, p.OK+p.Failed)
	}
	for i, w := range ws {
		f := &faults[w.index]
		f.Before, f.During, f.After = &phases[2*i], &phases[2*i+1], &phases[2*i+2]
	}
}

// Package balance chooses a backend for a request. It is a leaf: it knows no
// network, no clock and no process, and the same candidates and seed give the
// same choices.
//
// [New] makes a [Picker] by the algorithm's name; [Algorithms] lists them. What
// keeps a backend from being a candidate (its health, that it is a backup) is
// the caller's business. [Ramp] gives a new backend its weight bit by bit, and
// [EWMA] averages response times.
package balance

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Candidate is a backend that may be chosen.
type Candidate struct {
	Slot     int           // by which it is known, also after a restart
	Weight   float64       // its share, more than 0
	InFlight int           // requests that it works on
	Latency  time.Duration // its average response time; 0 is unknown
}

// Picker chooses one of at least one candidates, which are sorted by slot with
// each slot once, and returns its index. Key is what ip-hash hashes. A Picker
// remembers what it chose, so one goroutine at a time may use it.
type Picker interface {
	Pick(candidates []Candidate, key string) int
}

// algorithms in the order in which they are listed.
var algorithms = []struct {
	name string
	make func(*rand.Rand) Picker
}{
	{"round-robin", func(*rand.Rand) Picker { return new(roundRobin) }},
	{"weighted-round-robin", func(*rand.Rand) Picker { return &smooth{current: map[int]float64{}} }},
	{"least-connections", func(*rand.Rand) Picker { return &least{cost: connections} }},
	{"least-response-time", func(*rand.Rand) Picker { return &least{cost: responseTime} }},
	{"ip-hash", func(*rand.Rand) Picker { return consistent{} }},
	{"random", func(r *rand.Rand) Picker { return random{r} }},
	{"random-two", func(r *rand.Rand) Picker { return randomTwo{r} }},
}

// Algorithms lists the names that [New] knows.
func Algorithms() []string {
	var names []string
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	return names
}

// New returns a picker; seed decides what the random ones choose. An unknown
// algorithm is an error that lists the known ones.
func New(algorithm string, seed uint64) (Picker, error) {
	for _, a := range algorithms {
		if a.name == algorithm {
			return a.make(rand.New(rand.NewPCG(seed, 0))), nil
		}
	}
	return nil, fmt.Errorf("%q is not one of %s", algorithm, strings.Join(Algorithms(), ", "))
}

// roundRobin takes them in turn, whatever their weights.
type roundRobin struct{ last int }

func (r *roundRobin) Pick(candidates []Candidate, _ string) int {
	i := after(candidates, r.last)
	r.last = candidates[i].Slot
	return i
}

// after is the first candidate behind a slot, in turn.
func after(candidates []Candidate, slot int) int {
	for i, c := range candidates {
		if c.Slot > slot {
			return i
		}
	}
	return 0
}

// least takes the one of the lowest cost; those that cost the same take turns.
type least struct {
	cost func(c Candidate, all []Candidate) float64
	last int
}

func (l *least) Pick(candidates []Candidate, _ string) int {
	first := after(candidates, l.last)
	best, lowest := first, l.cost(candidates[first], candidates)
	for n := 1; n < len(candidates); n++ {
		i := (first + n) % len(candidates)
		if cost := l.cost(candidates[i], candidates); cost < lowest {
			best, lowest = i, cost
		}
	}
	l.last = candidates[best].Slot
	return best
}

// connections is the load that a candidate would have per weight.
func connections(c Candidate, _ []Candidate) float64 { return float64(c.InFlight+1) / c.Weight }

// responseTime is what a request would have to wait if those before it take as
// long as they did lately. What is unknown counts as the best that is known, so
// that it is tried without being flooded.
func responseTime(c Candidate, all []Candidate) float64 {
	latency := c.Latency
	if latency <= 0 {
		for _, o := range all {
			if o.Latency > 0 && (latency <= 0 || cmp.Less(o.Latency, latency)) {
				latency = o.Latency
			}
		}
	}
	return float64(max(latency, 1)) * connections(c, all)
}

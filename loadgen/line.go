package loadgen

import (
	"math"
	"math/rand/v2"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// line is the sequence of requests of open load, each with the moment it is
// due: first those of the warm-up, then those from t = 0 on.
type line struct {
	arrivals arrivals
	origin   clock.Time // what arrivals count from
	end      clock.Time // nothing is due from then on

	main    arrivals // follows at epoch; nil once it is arrivals
	epoch   clock.Time
	mainEnd clock.Time

	left   int64 // requests that may still be due from t = 0 on
	picker picker

	due  clock.Time
	have bool
	over bool
}

// newLine begins the schedule of g's stream now.
func newLine(g *Generator, now clock.Time) line {
	open := g.stream.Open
	l := line{
		arrivals: newWarmup(open, g.seed+1), origin: now, end: g.epoch,
		main: newArrivals(open, g.seed), epoch: g.epoch, mainEnd: g.end,
		left: math.MaxInt64, picker: newPicker(g.requests, g.seed, 0),
	}
	if g.stream.Count > 0 {
		l.left = g.stream.Count
	}
	return l
}

// peek returns when the next request is due; false if there is none.
func (l *line) peek() (clock.Time, bool) {
	for !l.have && !l.over {
		offset, ok := l.arrivals.next()
		due := l.origin.Add(offset)
		switch {
		case ok && due < l.end && (l.main != nil || l.left > 0):
			l.due, l.have = due, true
		case l.main != nil:
			l.arrivals, l.origin, l.end, l.main = l.main, l.epoch, l.mainEnd, nil
		default:
			l.over = true
		}
	}
	return l.due, l.have && l.due < l.mainEnd
}

// pop takes the request that peek has announced.
func (l *line) pop() (clock.Time, *request) {
	l.have = false
	if l.main == nil {
		l.left--
	}
	return l.due, l.picker.pick()
}

// cut lets nothing be due from t on.
func (l *line) cut(t clock.Time) {
	l.end, l.mainEnd = min(l.end, t), min(l.mainEnd, t)
}

// picker draws requests by weight.
type picker struct {
	requests []*request
	upTo     []int // sums of weights
	rng      *rand.Rand
}

func newPicker(requests []weighted, seed, stream uint64) picker {
	p := picker{rng: rand.New(rand.NewPCG(seed, stream+1))}
	sum := 0
	for _, w := range requests {
		sum += w.weight
		p.requests, p.upTo = append(p.requests, w.request), append(p.upTo, sum)
	}
	return p
}

// weighted is a request and its share.
type weighted struct {
	*request
	weight int
}

func (p *picker) pick() *request {
	if len(p.requests) == 1 {
		return p.requests[0]
	}
	n := p.rng.IntN(p.upTo[len(p.upTo)-1])
	for i, sum := range p.upTo {
		if n < sum {
			return p.requests[i]
		}
	}
	return nil // never: the last sum is above every n
}

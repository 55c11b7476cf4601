package ab

import (
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/hachaos/hachaos/loadgen"
)

// Tally counts what ab's report is made of. Its memory does not depend on the
// number of requests. Make one with [NewTally] and give its Observe to
// [loadgen.Options].
type Tally struct {
	variable bool // answers may differ in length
	shards   [loadgen.MaxShards]tally

	once     sync.Once
	server   string
	document int64 // bytes of the first answer's body; −1 before
}

// NewTally makes a Tally. With variable, an answer's length is no failure.
func NewTally(variable bool) *Tally {
	t := &Tally{variable: variable, document: -1}
	for i := range t.shards {
		for p := range t.shards[i].phases {
			t.shards[i].phases[p].min = math.MaxInt64
		}
	}
	return t
}

// tally is one shard's share.
type tally struct {
	mu     sync.Mutex
	counts counts
	phases [numPhases]phase
}

type counts struct {
	complete, lost, connect, receive, other int64
	length, non2xx, kept                    int64
	in, out, body                           int64
}

const (
	connecting = iota
	processing
	waiting
	total
	numPhases
)

// phase is the distribution of one part of the requests' time: exact in its
// sums, to three digits in its quantiles.
type phase struct {
	n          int64
	min, max   time.Duration
	sum, sumSq float64 // seconds
	histogram  *hdrhistogram.Histogram
}

// Observe takes in one request; see [loadgen.Options.Observe].
func (t *Tally) Observe(shard int, r *loadgen.Result) {
	s := &t.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.counts
	c.complete++
	c.in += r.In
	c.out += r.Out
	c.body += r.Body
	if r.Kept {
		c.kept++
	}
	if r.Lost() {
		c.fail(r)
		return
	}
	if r.Status < 200 || r.Status > 299 {
		c.non2xx++
	}
	t.once.Do(func() { t.server, t.document = string(r.Server), r.Body })
	if r.Body != t.document && !t.variable {
		c.length++
	}
	s.phases[connecting].add(r.Connect)
	s.phases[processing].add(r.Latency - r.Connect)
	s.phases[waiting].add(r.Wait)
	s.phases[total].add(r.Latency)
}

// fail counts a lost request under the one name that ab has for its end.
func (c *counts) fail(r *loadgen.Result) {
	c.lost++
	switch {
	case r.Cause == loadgen.CauseRefused, r.Cause == loadgen.CauseDNS, r.Cause == loadgen.CauseGenerator,
		r.Cause == loadgen.CauseTimeout && r.Out == 0:
		c.connect++
	case r.Cause == loadgen.CauseTLS, r.Cause == loadgen.CauseOther:
		c.other++
	default:
		c.receive++
	}
}

func (p *phase) add(d time.Duration) {
	if p.histogram == nil {
		p.histogram = hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
	}
	d = max(d, 0)
	p.n++
	p.min, p.max = min(p.min, d), max(p.max, d)
	p.sum += d.Seconds()
	p.sumSq += d.Seconds() * d.Seconds()
	// No timeout is longer than the histogram.
	_ = p.histogram.RecordValue(min(int64((d+time.Microsecond/2)/time.Microsecond), int64(time.Hour/time.Microsecond)))
}

func (p *phase) merge(q *phase) {
	if q.n == 0 {
		return
	}
	p.n += q.n
	p.min, p.max = min(p.min, q.min), max(p.max, q.max)
	p.sum += q.sum
	p.sumSq += q.sumSq
	if p.histogram == nil {
		p.histogram = hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
	}
	p.histogram.Merge(q.histogram)
}

// Complete returns how many requests have ended so far, well or not.
func (t *Tally) Complete() int64 {
	n := int64(0)
	for i := range t.shards {
		t.shards[i].mu.Lock()
		n += t.shards[i].counts.complete
		t.shards[i].mu.Unlock()
	}
	return n
}

// Figures returns what has been counted so far, over a time of elapsed.
func (t *Tally) Figures(elapsed time.Duration) *Figures {
	f := &Figures{Elapsed: elapsed}
	for p := range f.phases {
		f.phases[p].min = math.MaxInt64
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		f.add(&s.counts)
		for p := range s.phases {
			f.phases[p].merge(&s.phases[p])
		}
		s.mu.Unlock()
	}
	t.once.Do(func() {}) // from here on it is not written
	f.Server, f.Document = t.server, max(0, t.document)
	return f
}

// Figures are the figures of ab's report.
type Figures struct {
	Elapsed  time.Duration
	Server   string // as the first answer named it
	Document int64  // bytes of the first answer's body

	Complete, Lost, Length, Non2xx, Kept int64
	Connect, Receive, Exceptions         int64 // the lost ones, each under one of them
	In, Out, Body                        int64 // bytes received, sent, and of bodies received

	phases [numPhases]phase
}

// Failed is the number of requests that were lost, or differ in length from the
// first.
func (f *Figures) Failed() int64 { return f.Lost + f.Length }

func (f *Figures) add(c *counts) {
	f.Complete += c.complete
	f.Lost += c.lost
	f.Length += c.length
	f.Non2xx += c.non2xx
	f.Kept += c.kept
	f.Connect += c.connect
	f.Receive += c.receive
	f.Exceptions += c.other
	f.In += c.in
	f.Out += c.out
	f.Body += c.body
}

// mean and deviation are in milliseconds; the latter is that of a sample.
func (p *phase) mean() float64 { return p.sum / float64(max(1, p.n)) * 1e3 }

func (p *phase) deviation() float64 {
	if p.n < 2 {
		return 0
	}
	n := float64(p.n)
	return math.Sqrt(max(0, (p.sumSq-p.sum*p.sum/n)/(n-1))) * 1e3
}

// at returns the value that share of the requests do not exceed, in
// milliseconds; share 0 is the smallest, 1 the largest.
func (p *phase) at(share float64) float64 {
	switch {
	case p.n == 0:
		return 0
	case share <= 0:
		return milliseconds(p.min)
	case share >= 1:
		return milliseconds(p.max)
	}
	ms := float64(p.histogram.ValueAtQuantile(100*share)) / 1e3
	return min(max(ms, milliseconds(p.min)), milliseconds(p.max))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

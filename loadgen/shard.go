package loadgen

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/hachaos/hachaos/loadgen/clock"
)

const (
	maxLatency   = int64(time.Hour / time.Microsecond)
	maxWorkers   = 4096 // distinct X-Worker values counted
	maxWorkerLen = 128
	// maxExample is how many bytes of an example's text are kept: more than anybody
	// shows, so that a secret in it is whole where secrets are known, and hidden there.
	maxExample = 4096

	// Completions of the last second, by tenths.
	tick  = 100 * time.Millisecond
	ticks = 16
)

// newLatency makes the histogram of all latencies: 1 µs to 1 h, 3 digits.
func newLatency() *hdrhistogram.Histogram { return hdrhistogram.New(1, maxLatency, 3) }

// microseconds rounds d as histograms take it.
func microseconds(d time.Duration) int64 {
	return min(max(0, int64((d+time.Microsecond/2)/time.Microsecond)), maxLatency)
}

// shard records what a share of the senders did. A few shards keep senders from
// waiting for each other; one for every connection would cost memory.
type shard struct {
	mu    sync.Mutex
	epoch clock.Time
	open  bool

	index   int
	observe func(shard int, r *Result) // nil: nobody does
	result  Result                     // reused

	counts   Counts
	degraded int64
	first    clock.Time // earliest start, valid if something was counted
	last     clock.Time

	failures [NumCauses]int64
	statuses [1000]int64
	examples map[Cause]example
	badStart *example // the first failure of the warm-up
	workers  map[string]*int64
	in, out  int64

	latency, service *hdrhistogram.Histogram // service: open load only
	lag              *hdrhistogram.Histogram // open load only
	intended, missed int64

	cells    cells
	goods    Goods
	timeline Timeline
	recent   [ticks]struct{ tick, n int64 }
}

// Counts are the counters that can be looked at while a stream runs.
type Counts struct {
	Sent, OK, Failed, Retried int64 // from t = 0 on
	WarmupOK, WarmupFailed    int64
	WarmupBegun               int64         // ended or not
	WarmupSlowest             time.Duration // of the good answers
}

type example struct {
	at   clock.Time
	text string
}

func newExample(o *outcome) *example {
	text := o.explain()
	return &example{o.start, text[:min(len(text), maxExample)]}
}

func newShard(epoch clock.Time, open bool) *shard {
	s := &shard{epoch: epoch, open: open, latency: newLatency(), examples: map[Cause]example{}, workers: map[string]*int64{}}
	if open {
		s.service, s.lag = newLatency(), newLatency()
	}
	return s
}

// record takes in a request that has ended.
func (s *shard) record(o *outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.markRecent(o)
	if o.start < s.epoch {
		s.warmup(o)
		return
	}
	if s.counts.Sent == 0 || o.start < s.first {
		s.first = o.start
	}
	s.last = max(s.last, o.done)
	s.counts.Sent++
	if s.observe != nil {
		s.tell(o)
	}
	s.in += o.in
	s.out += o.out
	if o.status > 0 {
		s.statuses[o.status]++
	}
	bucket := s.timeline.at(o.done.Sub(s.epoch))
	if o.cause == CauseNone {
		s.good(o, bucket)
	} else {
		bucket.Failed++
		s.fail(o)
	}
	if o.retried {
		s.counts.Retried++
	}
	s.cell(o)
}

// begin counts a request of the warm-up that begins, or was due, at a moment.
func (s *shard) begin(at clock.Time) {
	if at >= s.epoch {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.WarmupBegun++
}

// warmup counts a request begun before t = 0.
func (s *shard) warmup(o *outcome) {
	if o.cause == CauseNone {
		s.counts.WarmupOK++
		s.counts.WarmupSlowest = max(s.counts.WarmupSlowest, o.done.Sub(o.start))
		return
	}
	s.counts.WarmupFailed++
	if s.badStart == nil || o.start < s.badStart.at {
		s.badStart = newExample(o)
	}
}

func (s *shard) good(o *outcome, bucket *Bucket) {
	s.counts.OK++
	if o.degraded {
		s.degraded++
	}
	// The histograms span more than any timeout: no value is out of range.
	us := microseconds(o.done.Sub(o.start))
	_ = s.latency.RecordValue(us)
	if s.open {
		_ = s.service.RecordValue(microseconds(o.done.Sub(o.sent)))
	}
	s.goods.add(o.done.Sub(s.epoch))
	bucket.OK++
	bucket.Latency.add(us)
	if len(o.worker) > 0 && len(o.worker) <= maxWorkerLen {
		if n := s.workers[string(o.worker)]; n != nil {
			*n++
		} else if len(s.workers) < maxWorkers {
			n := int64(1)
			s.workers[string(o.worker)] = &n
		}
	}
}

func (s *shard) fail(o *outcome) {
	s.counts.Failed++
	s.failures[o.cause]++
	if e, ok := s.examples[o.cause]; !ok || o.start < e.at {
		s.examples[o.cause] = *newExample(o)
	}
}

// cell notes when a request failed or was retried. What failed by the generator's
// own limits is not noted: nothing that happened to the target explains it.
func (s *shard) cell(o *outcome) {
	n := cellCount{}
	if o.cause != CauseNone && o.cause != CauseGenerator {
		n.failed = 1
	}
	if o.retried {
		n.retried = 1
	}
	if n == (cellCount{}) {
		return
	}
	s.cells.add(int32(o.start.Sub(s.epoch)/CellWidth), int32(o.done.Sub(s.epoch)/CellWidth), n)
}

// markRecent counts a good answer for the throughput of the last second.
func (s *shard) markRecent(o *outcome) {
	if o.cause != CauseNone {
		return
	}
	now := int64(o.done) / int64(tick)
	r := &s.recent[uint64(now)%ticks]
	if r.tick != now {
		r.tick, r.n = now, 0
	}
	r.n++
}

// rate returns the good answers of the second before now.
func (s *shard) rate(now clock.Time) int64 {
	current, sum := int64(now)/int64(tick), int64(0)
	for _, r := range s.recent {
		if r.tick < current && r.tick >= current-int64(time.Second/tick) {
			sum += r.n
		}
	}
	return sum
}

// lagged records how late a request of open load that was due at a moment was
// sent, and whether a slot had been free for it then.
func (s *shard) lagged(due clock.Time, lag time.Duration, intended bool) {
	if due < s.epoch {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.lag.RecordValue(microseconds(lag))
	if intended {
		s.intended++
	}
}

// skipped records a request that was due and never sent although it could have
// been.
func (s *shard) skipped(due clock.Time) {
	if due < s.epoch {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intended++
	s.missed++
}

// recording copies what has been recorded, and the examples with their times.
func (s *shard) recording() (*Recording, map[Cause]example) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Recording{
		Sent: s.counts.Sent, OK: s.counts.OK, Failed: s.counts.Failed, Retried: s.counts.Retried, Degraded: s.degraded,
		Failures: s.failures, Statuses: map[int]int64{}, Workers: map[string]int64{}, BytesIn: s.in, BytesOut: s.out,
		Latency: s.latency.Clone(), Cells: s.cells.sorted(), Goods: s.goods.clone(), Timeline: s.timeline.clone(),
		Generator: GeneratorStats{Intended: s.intended, Missed: s.missed},
	}
	if s.counts.Sent > 0 {
		r.Start, r.End = s.first.Sub(s.epoch), s.last.Sub(s.epoch)
	}
	if s.open {
		r.Service, r.Generator.Lag = s.service.Clone(), s.lag.Clone()
	} else {
		// A closed client sends at once: both are the same.
		r.Service = s.latency.Clone()
	}
	for status, n := range s.statuses {
		if n > 0 {
			r.Statuses[status] = n
		}
	}
	for worker, n := range s.workers {
		r.Workers[worker] = *n
	}
	examples := make(map[Cause]example, len(s.examples))
	for cause, e := range s.examples {
		examples[cause] = e
	}
	return r, examples
}

package loadgen

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// MaxShards bounds the shards that [Options.Observe] is called for.
const MaxShards = 8

// recorder is what the senders of a stream record into.
type recorder struct {
	shards []*shard
	began  atomic.Int64 // clock.Time from which answers may come
}

func newRecorder(epoch clock.Time, open bool, observe func(int, *Result)) *recorder {
	r := &recorder{}
	for i := range min(runtime.GOMAXPROCS(0), MaxShards) {
		s := newShard(epoch, open)
		s.index, s.observe = i, observe
		r.shards = append(r.shards, s)
	}
	return r
}

// shard returns the one that the i-th sender records into.
func (r *recorder) shard(i int) *shard { return r.shards[i%len(r.shards)] }

// recording returns all that has been recorded so far.
func (r *recorder) recording() *Recording {
	parts, examples := make([]*Recording, len(r.shards)), map[Cause]example{}
	for i, s := range r.shards {
		part, found := s.recording()
		parts[i] = part
		for cause, e := range found {
			if known, ok := examples[cause]; !ok || e.at < known.at {
				examples[cause] = e
			}
		}
	}
	rec := Merge(parts...)
	rec.Timeline.summarise()
	for cause, e := range examples {
		rec.Examples[cause] = e.text
	}
	return rec
}

// latency returns the latencies of all good answers so far.
func (r *recorder) latency() *hdrhistogram.Histogram {
	var sum *hdrhistogram.Histogram
	for _, s := range r.shards {
		s.mu.Lock()
		part := s.latency.Clone()
		s.mu.Unlock()
		sum = mergeHistograms(sum, part)
	}
	return sum
}

// badStart returns the first failure of the warm-up in words; "" if there is none.
func (r *recorder) badStart() string {
	var first *example
	for _, s := range r.shards {
		s.mu.Lock()
		if e := s.badStart; e != nil && (first == nil || e.at < first.at) {
			first = e
		}
		s.mu.Unlock()
	}
	if first == nil {
		return ""
	}
	return first.text
}

// counts returns the counters and the good answers per second of the second before
// now, or of less if it began later.
func (r *recorder) counts(now clock.Time) (sum Counts, rate float64) {
	end := now / clock.Time(tick) * clock.Time(tick)
	over := end.Sub(max(end.Add(-time.Second), clock.Time(r.began.Load())))
	for _, s := range r.shards {
		s.mu.Lock()
		c, n := s.counts, s.rate(now)
		s.mu.Unlock()
		sum.Sent += c.Sent
		sum.OK += c.OK
		sum.Failed += c.Failed
		sum.Retried += c.Retried
		sum.WarmupOK += c.WarmupOK
		sum.WarmupFailed += c.WarmupFailed
		sum.WarmupBegun += c.WarmupBegun
		sum.WarmupSlowest = max(sum.WarmupSlowest, c.WarmupSlowest)
		rate += float64(n)
	}
	if over <= 0 {
		return sum, 0
	}
	rate /= over.Seconds()
	return sum, rate
}

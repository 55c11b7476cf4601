package reports

import (
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

// foldTimeline lays the streams' courses over each other, in buckets of the
// widest stream's width (one second without a stream). workers_ready is the
// smallest number in the bucket, so that a short gap shows at any width; null
// before it was known.
func foldTimeline(run *Run) Timeline {
	var load loadgen.Timeline
	for _, rec := range run.Loads {
		load = load.Merge(rec.Timeline)
	}
	width := load.Width
	if width <= 0 {
		width = time.Second
	}
	failed := failedPerBucket(uptimeProbes(run.Probes), width)
	n := max(int((run.Duration+width-1)/width), len(load.Buckets), len(failed))
	t := Timeline{
		BucketMS:     milliseconds(width),
		OK:           make([]int64, n),
		Failed:       make([]int64, n),
		P50MS:        make([]*float64, n),
		P99MS:        make([]*float64, n),
		ProbeFailed:  make([]int64, n),
		WorkersReady: readyPerBucket(run.Ready, width, n),
	}
	copy(t.ProbeFailed, failed)
	for i, b := range load.Buckets {
		t.OK[i], t.Failed[i] = b.OK, b.Failed
		if b.OK > 0 {
			t.P50MS[i], t.P99MS[i] = known(milliseconds(b.P50)), known(milliseconds(b.P99))
		}
	}
	return t
}

// failedPerBucket counts failed probes by the bucket of their send.
func failedPerBucket(rec *loadgen.ProbeRecording, width time.Duration) []int64 {
	counts := []int64{}
	if rec == nil {
		return counts
	}
	for at := range failedProbes(rec) {
		bucket := int(max(0, at) / width)
		for len(counts) <= bucket {
			counts = append(counts, 0)
		}
		counts[bucket]++
	}
	return counts
}

func readyPerBucket(ready []ReadyCount, width time.Duration, n int) []*int {
	counts := make([]*int, n)
	var current *int
	next := 0
	for i := range counts {
		begin, end := time.Duration(i)*width, time.Duration(i+1)*width
		for next < len(ready) && ready[next].At <= begin {
			current, next = &ready[next].Ready, next+1
		}
		if current == nil && (next == len(ready) || ready[next].At >= end) {
			continue
		}
		var least int
		seen := current != nil
		if seen {
			least = *current
		}
		for next < len(ready) && ready[next].At < end {
			current, next = &ready[next].Ready, next+1
			if !seen || *current < least {
				least, seen = *current, true
			}
		}
		counts[i] = &least
	}
	return counts
}

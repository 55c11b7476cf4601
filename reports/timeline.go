package reports

import (
	"slices"
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

// foldTimeline lays the streams' courses over each other, in buckets of the
// widest stream's width (one second without a stream).
//
// Percentiles cannot be added up: where several buckets fall into one, p50 is
// the median of theirs weighted by their good answers, and p99 the largest, a
// bound from above. workers_ready is the smallest number in the bucket, so that
// a short gap shows at any width; null before it was known.
func foldTimeline(run *Run) Timeline {
	width := time.Duration(0)
	for _, rec := range run.Loads {
		width = max(width, rec.Timeline.Width)
	}
	if width <= 0 {
		width = time.Second
	}
	n := int((run.Duration + width - 1) / width)
	for _, rec := range run.Loads {
		if b := len(rec.Timeline.Buckets); b > 0 {
			n = max(n, bucketAt(rec.Timeline, b-1, width)+1)
		}
	}
	failed := failedProbes(uptimeProbes(run.Probes), width)
	n = max(n, len(failed))

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
	merged := make([][]loadgen.Bucket, n)
	for _, rec := range run.Loads {
		for i, b := range rec.Timeline.Buckets {
			at := bucketAt(rec.Timeline, i, width)
			t.OK[at] += b.OK
			t.Failed[at] += b.Failed
			if b.OK > 0 {
				merged[at] = append(merged[at], b)
			}
		}
	}
	for i, buckets := range merged {
		if len(buckets) > 0 {
			p50, p99 := percentiles(buckets)
			t.P50MS[i], t.P99MS[i] = known(milliseconds(p50)), known(milliseconds(p99))
		}
	}
	return t
}

// bucketAt returns which bucket of the given width the i-th one of t begins in.
func bucketAt(t loadgen.Timeline, i int, width time.Duration) int {
	return int(time.Duration(i) * t.Width / width)
}

func percentiles(buckets []loadgen.Bucket) (p50, p99 time.Duration) {
	slices.SortFunc(buckets, func(a, b loadgen.Bucket) int { return int(a.P50 - b.P50) })
	var all, below int64
	for _, b := range buckets {
		all += b.OK
		p99 = max(p99, b.P99)
	}
	for _, b := range buckets {
		if below += b.OK; 2*below >= all {
			return b.P50, p99
		}
	}
	return 0, p99
}

// failedProbes counts failed probes by the bucket of their send, taking those
// of one run as evenly spaced.
func failedProbes(rec *loadgen.ProbeRecording, width time.Duration) []int64 {
	counts := []int64{}
	if rec == nil {
		return counts
	}
	for _, run := range rec.Runs {
		if run.Good {
			continue
		}
		for k := range run.N {
			at := run.First
			if run.N > 1 {
				at += time.Duration(float64(run.Last-run.First) * float64(k) / float64(run.N-1))
			}
			bucket := int(max(0, at) / width)
			for len(counts) <= bucket {
				counts = append(counts, 0)
			}
			counts[bucket]++
		}
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

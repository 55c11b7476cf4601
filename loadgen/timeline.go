package loadgen

import "time"

const (
	firstBucketWidth = 100 * time.Millisecond
	maxBuckets       = 600 // beyond it neighbours are merged: a minute at first
)

// at returns the bucket of a moment, after widening the buckets if it lies
// beyond the last one possible.
func (t *Timeline) at(moment time.Duration) *Bucket {
	if t.Width == 0 {
		t.Width = firstBucketWidth
	}
	for moment >= maxBuckets*t.Width {
		t.widen()
	}
	i := int(max(0, moment) / t.Width)
	for len(t.Buckets) <= i {
		t.Buckets = append(t.Buckets, Bucket{})
	}
	return &t.Buckets[i]
}

// widen merges each bucket with its neighbour.
func (t *Timeline) widen() {
	for i := range t.Buckets {
		b := t.Buckets[i]
		if i%2 == 0 {
			t.Buckets[i/2] = b
		} else {
			t.Buckets[i/2].merge(b)
		}
	}
	half := (len(t.Buckets) + 1) / 2
	clear(t.Buckets[half:])
	t.Buckets = t.Buckets[:half]
	t.Width *= 2
}

func (b *Bucket) merge(c Bucket) {
	b.OK += c.OK
	b.Failed += c.Failed
	b.Latency.merge(c.Latency)
}

func (t Timeline) clone() Timeline {
	c := Timeline{Width: t.Width, Buckets: make([]Bucket, len(t.Buckets))}
	for i, b := range t.Buckets {
		b.Latency = b.Latency.clone()
		c.Buckets[i] = b
	}
	return c
}

// Merge returns the course of both, in the wider one's buckets.
func (t Timeline) Merge(u Timeline) Timeline {
	a, b := t.clone(), u.clone()
	if a.Width == 0 || b.Width == 0 {
		if a.Width == 0 {
			a = b
		}
		return a
	}
	for a.Width < b.Width {
		a.widen()
	}
	for b.Width < a.Width {
		b.widen()
	}
	for i, bucket := range b.Buckets {
		if i == len(a.Buckets) {
			a.Buckets = append(a.Buckets, Bucket{})
		}
		a.Buckets[i].merge(bucket)
	}
	a.summarise()
	return a
}

// summarise reads the percentiles from the histograms.
func (t *Timeline) summarise() {
	for i := range t.Buckets {
		b := &t.Buckets[i]
		b.P50, b.P99 = b.Latency.Quantile(0.50), b.Latency.Quantile(0.99)
	}
}

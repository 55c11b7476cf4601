package loadgen

import "github.com/HdrHistogram/hdrhistogram-go"

// Merge returns the recording that one generator would have made of what
// several did of one stream at the same time: counts, histograms, cells and
// timelines add up exactly, and so do concurrency and rate. Of two examples of
// one cause it keeps the earlier recording's; CPUShare is the largest.
// The recordings given are left as they are.
func Merge(recs ...*Recording) *Recording {
	var m Recording
	for i, r := range recs {
		m.merge(r, i == 0)
	}
	return &m
}

func (m *Recording) merge(r *Recording, first bool) {
	if first {
		m.Stream, m.Model, m.Engine = r.Stream, r.Model, r.Engine
		m.Statuses, m.Examples, m.Workers = map[int]int64{}, map[Cause]string{}, map[string]int64{}
	}
	if r.Sent > 0 && (m.Sent == 0 || r.Start < m.Start) {
		m.Start = r.Start
	}
	m.End = max(m.End, r.End)
	m.Until = max(m.Until, r.Until)
	m.Concurrency += r.Concurrency
	m.Rate += r.Rate
	m.Sent += r.Sent
	m.OK += r.OK
	m.Degraded += r.Degraded
	m.Failed += r.Failed
	m.Retried += r.Retried
	m.BytesIn += r.BytesIn
	m.BytesOut += r.BytesOut
	for cause, n := range r.Failures {
		m.Failures[cause] += n
	}
	addCounts(m.Statuses, r.Statuses)
	addCounts(m.Workers, r.Workers)
	for cause, text := range r.Examples {
		if _, ok := m.Examples[cause]; !ok {
			m.Examples[cause] = text
		}
	}
	m.Latency = mergeHistograms(m.Latency, r.Latency)
	m.Service = mergeHistograms(m.Service, r.Service)
	m.Cells = mergeCells(m.Cells, r.Cells)
	m.Goods = m.Goods.Merge(r.Goods)
	m.Timeline = m.Timeline.Merge(r.Timeline)
	m.Generator.Intended += r.Generator.Intended
	m.Generator.Missed += r.Generator.Missed
	m.Generator.Lag = mergeHistograms(m.Generator.Lag, r.Generator.Lag)
	m.Generator.CPU += r.Generator.CPU
	m.Generator.CPUShare = max(m.Generator.CPUShare, r.Generator.CPUShare)
}

func addCounts[K comparable](sum, counts map[K]int64) {
	for k, n := range counts {
		sum[k] += n
	}
}

// mergeHistograms adds b to a, which may be nil, and leaves b as it is.
func mergeHistograms(a, b *hdrhistogram.Histogram) *hdrhistogram.Histogram {
	switch {
	case b == nil:
		return a
	case a == nil:
		return b.Clone()
	}
	a.Merge(b)
	return a
}

package loadgen

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// probe is one probe that has ended. Moments are offsets from t = 0.
type probe struct {
	seq             uint64 // from 0, in the order they were due, without holes
	due, send, done time.Duration
	cause           Cause
	text            string // an example of the failure; "" for most
}

// probeFold folds the probes of one kind of connection, in whatever order they
// end, into runs in the order they were sent. Single probes are kept only while
// their order may change, and for holdBack more, so that a recording may end a
// little in the past.
//
// A probe that has not been reported was sent no earlier than it was due, and
// the grid says when that was; before that moment everything is known.
type probeFold struct {
	every time.Duration

	next    uint64        // the first seq not reported
	due     time.Duration // of the probe before next
	dues    map[uint64]time.Duration
	pending []probe         // not folded yet, by send
	goods   []time.Duration // completions of good probes, not folded yet, sorted

	rec      ProbeRecording
	lastSend time.Duration // of the last probe folded; negative before t = 0
	lastGood time.Duration // where the stall that may be under way began
}

func newProbeFold(connections string, every, timeout time.Duration) *probeFold {
	return &probeFold{
		every: every,
		dues:  map[uint64]time.Duration{},
		rec: ProbeRecording{
			Connections: connections, Every: every, Timeout: timeout,
			Examples: map[Cause]string{}, Lateness: newLatency(), Priority: "default",
		},
	}
}

const (
	holdBack  = 30 * time.Second
	foldBatch = 256 // probes are folded so many at a time
)

// add takes in a probe.
func (f *probeFold) add(p probe) {
	f.dues[p.seq] = p.due
	for {
		due, ok := f.dues[f.next]
		if !ok {
			break
		}
		delete(f.dues, f.next)
		f.due = due
		f.next++
	}
	at, _ := slices.BinarySearchFunc(f.pending, p.send, func(q probe, send time.Duration) int { return cmp.Compare(q.send, send) })
	f.pending = slices.Insert(f.pending, at, p)
	if p.cause == CauseNone {
		at, _ := slices.BinarySearch(f.goods, p.done)
		f.goods = slices.Insert(f.goods, at, p.done)
	}
	if old := f.known() - holdBack; len(f.pending) > foldBatch && f.pending[foldBatch].send < old {
		f.foldBefore(old)
	}
}

// known returns the moment before which every probe sent has been reported.
func (f *probeFold) known() time.Duration {
	if f.next == 0 {
		return math.MinInt64 + holdBack
	}
	return f.due + f.every
}

// foldBefore folds what was sent and what was completed before t, in the order
// of time.
func (f *probeFold) foldBefore(t time.Duration) {
	sent, completed := 0, 0
	for {
		send, good := t, t
		if sent < len(f.pending) {
			send = f.pending[sent].send
		}
		if completed < len(f.goods) {
			good = f.goods[completed]
		}
		switch {
		case send < t && send <= good:
			f.fold(f.pending[sent])
			sent++
		case good < t:
			f.stallUntil(good)
			f.lastGood = max(f.lastGood, good)
			completed++
		default:
			f.pending = slices.Delete(f.pending, 0, sent)
			f.goods = slices.Delete(f.goods, 0, completed)
			return
		}
	}
}

// fold takes in the next probe in the order of sending. One that failed by the
// generator's own limits says nothing of the target: it counts as not sent.
func (f *probeFold) fold(p probe) {
	own := p.cause == CauseGenerator
	if !own {
		defer func() { f.lastSend = p.send }()
	}
	if p.send < 0 {
		return
	}
	r := &f.rec
	if p.cause != CauseNone {
		r.Failures[p.cause]++
		if _, ok := r.Examples[p.cause]; !ok && p.text != "" {
			r.Examples[p.cause] = p.text
		}
	}
	if own {
		return
	}
	f.gapUntil(p.send)
	r.Sent++
	// The histogram spans an hour: nothing is out of range.
	_ = r.Lateness.RecordValue(microseconds(p.send - p.due))
	if p.cause != CauseNone {
		r.Failed++
	}
	good := p.cause == CauseNone
	if n := len(r.Runs); n == 0 || r.Runs[n-1].Good != good {
		r.Runs = append(r.Runs, ProbeRun{First: p.send, Good: good})
	}
	run := &r.Runs[len(r.Runs)-1]
	run.Last, run.Finish = p.send, max(run.Finish, p.done)
	if !good {
		broke := p.done
		if p.cause == CauseTimeout {
			broke = p.send // nothing else happened to it until the deadline
		}
		if run.N == 0 || broke < run.Broke {
			run.Broke = broke
		}
	}
	run.N++
}

// gapUntil notes a gap that ends at t. While nothing was sent nothing could be
// seen: a stall ends at the gap's beginning, and may begin at its end.
func (f *probeFold) gapUntil(t time.Duration) {
	from := max(0, f.lastSend)
	if t-from <= 2*f.every {
		return
	}
	f.rec.Gaps = append(f.rec.Gaps, ProbeGap{From: from, To: t})
	f.stallUntil(from)
	f.lastGood = t
}

// stallUntil notes the stall that ends at t.
func (f *probeFold) stallUntil(t time.Duration) {
	if stall := t - f.lastGood; stall > f.rec.LongestStall {
		f.rec.LongestStall, f.rec.StallStart = stall, f.lastGood
	}
}

// recording returns what was seen from t = 0 to until, which may lie at most
// holdBack in the past. final says that there
// will be no more probes: what is still in flight is then unknown for ever, and
// time without probes up to until is a gap. Otherwise the recording ends where
// the oldest probe in flight may have been sent.
func (f *probeFold) recording(until time.Duration, final bool) *ProbeRecording {
	c := f.clone()
	if !final {
		until = min(until, f.known())
	}
	c.foldBefore(until)
	if final {
		c.gapUntil(until)
	}
	c.stallUntil(until)
	return &c.rec
}

func (f *probeFold) clone() *probeFold {
	c := *f
	c.dues = nil // only add needs it
	c.pending, c.goods = slices.Clone(f.pending), slices.Clone(f.goods)
	c.rec.Runs, c.rec.Gaps = slices.Clone(f.rec.Runs), slices.Clone(f.rec.Gaps)
	c.rec.Lateness = mergeHistograms(nil, f.rec.Lateness)
	c.rec.Examples = map[Cause]string{}
	for cause, text := range f.rec.Examples {
		c.rec.Examples[cause] = text
	}
	return &c
}

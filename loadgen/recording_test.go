package loadgen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// The rate of a stream that began less than a second ago is that of the time
// since, not of a second of which most was before.
func TestRateOfAYoungStream(t *testing.T) {
	const now = clock.Time(100 * time.Second)
	for _, c := range []struct {
		began clock.Time
		done  []clock.Time
		want  float64
	}{
		{now.Add(-200 * time.Millisecond), []clock.Time{now.Add(-150 * time.Millisecond), now.Add(-50 * time.Millisecond), now.Add(-50 * time.Millisecond)}, 15},
		{now.Add(-2 * time.Second), []clock.Time{now.Add(-1500 * time.Millisecond), now.Add(-950 * time.Millisecond), now.Add(-50 * time.Millisecond), now}, 2},
		{now, []clock.Time{now}, 0},
	} {
		r := newRecorder(0, false, nil)
		r.began.Store(int64(c.began))
		for i, at := range c.done {
			r.shard(i).markRecent(&outcome{done: at})
		}
		if _, rate := r.counts(now); rate < c.want-1e-9 || rate > c.want+1e-9 {
			t.Errorf("began %v before: %v/s, want %v/s", now.Sub(c.began), rate, c.want)
		}
	}
}

func rateOf(r float64) units.Rate { return units.Rate(r) }

// randomOutcome is a request of two minutes that ended somehow.
func randomOutcome(rng *rand.Rand) outcome {
	o := outcome{start: clock.Time(rng.Int64N(int64(2 * time.Minute))), status: 200, in: rng.Int64N(1000), out: 100}
	o.sent = o.start.Add(time.Duration(rng.Int64N(int64(time.Millisecond))))
	o.done = o.sent.Add(time.Duration(rng.ExpFloat64() * float64(20*time.Millisecond)))
	o.retried = rng.IntN(20) == 0
	switch rng.IntN(10) {
	case 0:
		o.cause, o.status = CauseReset, 0
		if rng.IntN(4) == 0 {
			o.cause = CauseGenerator
		}
	case 1:
		o.cause, o.status = CauseStatus, 503
	case 2:
		o.degraded = true
	default:
		o.worker = fmt.Append(nil, rng.IntN(4))
	}
	return o
}

func TestMergeIsExact(t *testing.T) {
	// What one generator records of all requests, two record of a half each.
	rng := rand.New(rand.NewPCG(1, 2))
	one, a, b := newRecorder(0, true, nil), newRecorder(0, true, nil), newRecorder(0, true, nil)
	for i := range 20000 {
		o := randomOutcome(rng)
		half := a
		if i%3 == 0 {
			half = b
		}
		if half == b {
			o.start, o.done = o.start/4, o.start/4+(o.done-o.start) // so that widths differ
			o.sent = o.start
		}
		lag := time.Duration(rng.Int64N(int64(time.Millisecond)))
		for _, r := range []*recorder{one, half} {
			r.shard(i).record(&o)
			r.shard(i).lagged(o.start, lag, i%2 == 0)
			if i%100 == 0 {
				r.shard(i).skipped(o.start)
			}
		}
	}
	want, got := one.recording(), Merge(a.recording(), b.recording())
	mustAddUp(t, want)
	mustAddUp(t, got)
	if a.recording().Timeline.Width == b.recording().Timeline.Width {
		t.Error("the two timelines have the same width: nothing was widened")
	}
	// Examples are the earliest of each generator; the others must be equal.
	want.Examples, got.Examples = nil, nil
	for _, pair := range [][2]any{{want.Latency.Export(), got.Latency.Export()}, {want.Service.Export(), got.Service.Export()}, {want.Generator.Lag.Export(), got.Generator.Lag.Export()}} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Error("histograms differ")
		}
	}
	want.Latency, want.Service, want.Generator.Lag = nil, nil, nil
	got.Latency, got.Service, got.Generator.Lag = nil, nil, nil
	if !reflect.DeepEqual(want, got) {
		t.Errorf("one generator: %+v\ntwo: %+v", want, got)
	}
}

func TestMergeLeavesItsArguments(t *testing.T) {
	r := newRecorder(0, false, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		o := randomOutcome(rng)
		r.shard(i).record(&o)
	}
	a, b := r.recording(), r.recording()
	Merge(a, b, a)
	if fmt.Sprintf("%+v", a.Timeline) != fmt.Sprintf("%+v", b.Timeline) || !reflect.DeepEqual(a.Cells, b.Cells) || !a.Latency.Equals(b.Latency) || !reflect.DeepEqual(a.Statuses, b.Statuses) {
		t.Error("the recordings given were changed")
	}
}

// What knows the secrets hides them: nothing is cut from an example before.
func TestExamplesAreKeptWhole(t *testing.T) {
	text := strings.Repeat("x", 299) + "hunter22"
	s := newShard(0, false)
	s.record(&outcome{start: 1, done: 2, cause: CauseOther, err: errors.New(text)})
	if _, examples := s.recording(); examples[CauseOther].text != text {
		t.Errorf("the example is %q", examples[CauseOther].text)
	}
	r := probeRecord{cause: CauseOther, text: text}
	pr := probeReader{bufio.NewReader(bytes.NewReader(r.append(nil)))}
	if err := pr.next(nil, func(got probeRecord) { r = got }); err != nil || r.text != text {
		t.Errorf("the probe's example is %q, error %v", r.text, err)
	}
}

func TestWarmupIsCountedApart(t *testing.T) {
	s := newShard(1000, false)
	for _, o := range []outcome{{start: 999, done: 5000, status: 200}, {start: 10, done: 20, cause: CauseReset}, {start: 1000, done: 1001, status: 200}} {
		s.record(&o)
	}
	rec, _ := s.recording()
	if s.badStart == nil || s.badStart.text == "" {
		t.Errorf("what failed in the warm-up is %+v", s.badStart)
	}
	if s.counts.WarmupOK != 1 || s.counts.WarmupFailed != 1 || rec.Sent != 1 || rec.OK != 1 || rec.Statuses[200] != 1 || len(rec.Cells) != 0 {
		t.Errorf("%+v, %+v", s.counts, rec)
	}
}

// Nothing that happens to the target explains what failed by the generator's own
// limits; that it had tried before is told.
func TestOwnFailuresHaveNoCell(t *testing.T) {
	s := newShard(0, false)
	s.record(&outcome{start: 1, done: 2, cause: CauseGenerator})
	if rec, _ := s.recording(); rec.Failed != 1 || rec.Failures[CauseGenerator] != 1 || len(rec.Cells) != 0 {
		t.Errorf("%d failed, cells %v", rec.Failed, rec.Cells)
	}
	s.record(&outcome{start: 1, done: 2, cause: CauseGenerator, retried: true})
	if rec, _ := s.recording(); len(rec.Cells) != 1 || rec.Cells[0].Failed != 0 || rec.Cells[0].Retried != 1 {
		t.Errorf("of one that was retried: cells %v", rec.Cells)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	// Each request starts and finishes in cells of its own, from a worker of its own.
	s := newShard(0, false)
	const n = 200_000
	for i := range n {
		start := clock.Time(i) * clock.Time(CellWidth)
		s.record(&outcome{start: start, done: start.Add(time.Second), cause: CauseReset})
		s.record(&outcome{start: start, done: start.Add(time.Second), worker: fmt.Append(nil, i)})
	}
	rec, _ := s.recording()
	if len(rec.Cells) > maxCells || len(rec.Timeline.Buckets) > maxBuckets || len(rec.Workers) > maxWorkers {
		t.Errorf("%d cells, %d buckets, %d workers", len(rec.Cells), len(rec.Timeline.Buckets), len(rec.Workers))
	}
	var failed int64
	for _, c := range rec.Cells {
		failed += int64(c.Failed)
		if c.Finish-c.Start < 90 || c.Finish-c.Start > 110 || c.Grain != 10 || c.Ended()-c.Began() != time.Duration(c.Finish-c.Start+10)*CellWidth {
			t.Fatalf("cell %+v of requests of 1 s, from %v to %v", c, c.Began(), c.Ended())
		}
	}
	if failed != n {
		t.Errorf("the cells hold %d of %d failures", failed, n)
	}
}

// Each cell says how wide it is, also among others of other shards.
func TestCellsKeepTheirGrain(t *testing.T) {
	r := newRecorder(0, false, nil)
	fine, coarse := newShard(0, false), newShard(0, false)
	r.shards = []*shard{fine, coarse}
	broken := outcome{start: clock.Time(5 * time.Second), done: clock.Time(5080 * time.Millisecond), cause: CauseReset}
	fine.record(&broken)
	for i := range int32(maxCells + 1) {
		coarse.cells.add(1000+i, 1000+i, cellCount{failed: 1})
	}
	coarse.record(&broken)
	got := r.recording().Cells[:2]
	want := []Cell{{Start: 500, Finish: 500, Failed: 1, Grain: 10}, {Start: 500, Finish: 508, Failed: 1, Grain: 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("cells %+v, want %+v", got, want)
	}
	for i, ended := range []time.Duration{5100 * time.Millisecond, 5090 * time.Millisecond} {
		if got[i].Began() != 5*time.Second || got[i].Ended() != ended {
			t.Errorf("%+v is from %v to %v", got[i], got[i].Began(), got[i].Ended())
		}
	}
	if merged := mergeCells(got[:1], []Cell{{Start: 500, Finish: 500, Failed: 2, Grain: 1}}); len(merged) != 2 {
		t.Errorf("cells of two widths are one: %+v", merged)
	}
}

func TestTimelineWidens(t *testing.T) {
	var line Timeline
	for i := range 2500 { // 250 s
		b := line.at(time.Duration(i) * 100 * time.Millisecond)
		b.OK++
		b.Latency.add(int64(i))
	}
	if line.Width != 800*time.Millisecond || len(line.Buckets) != 313 {
		t.Fatalf("%d buckets of %v", len(line.Buckets), line.Width)
	}
	for i, b := range line.Buckets[:312] {
		if b.OK != 8 || b.Latency.Quantile(1) == 0 {
			t.Errorf("bucket %d: %d", i, b.OK)
		}
	}
}

func TestSpreadIsRightToThreePercent(t *testing.T) {
	for us := int64(1); us < 4e9; us = us*11/10 + 1 {
		var s Spread
		s.add(us)
		if got := float64(s.Quantile(0.5)) / 1e3; !near(got, float64(us), float64(us)*0.033) {
			t.Errorf("%d µs is read as %v", us, got)
		}
	}
	var s Spread
	for us := range int64(1000) {
		s.add(us)
	}
	if p50, p99 := s.Quantile(0.50), s.Quantile(0.99); !near(float64(p50), 500e3, 20e3) || !near(float64(p99), 990e3, 40e3) {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
	if (Spread)(nil).Quantile(0.5) != 0 {
		t.Error("an empty one has a quantile")
	}
}

package loadgen

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// synthetic makes probes every 10 ms from a moment on, each answered after 1 ms
// unless change says otherwise; it may also drop one by returning false.
func synthetic(from, to time.Duration, change func(p *probe) bool) []probe {
	var probes []probe
	for due := from; due < to; due += 10 * ms {
		p := probe{seq: uint64(len(probes)), due: due, send: due, done: due + ms}
		if change == nil || change(&p) {
			probes = append(probes, p)
		}
	}
	// A prober numbers what it sends; what it does not send has no number.
	for i := range probes {
		probes[i].seq = uint64(i)
	}
	return probes
}

// failing makes the probes sent from a to b fail with a cause after a time.
func failing(a, b time.Duration, cause Cause, after time.Duration) func(*probe) bool {
	return func(p *probe) bool {
		if a <= p.send && p.send < b {
			p.cause, p.done, p.text = cause, p.send+after, cause.String()
		}
		return true
	}
}

func foldAll(probes []probe) *probeFold {
	f := newProbeFold("new", 10*ms, time.Second)
	for _, p := range probes {
		f.add(p)
	}
	return f
}

// byDone is the order in which a prober reports.
func byDone(probes []probe) []probe {
	probes = slices.Clone(probes)
	slices.SortStableFunc(probes, func(a, b probe) int { return int(a.done - b.done) })
	return probes
}

func mustFold(t *testing.T, got *ProbeRecording, sent, failed int64, runs []ProbeRun, gaps []ProbeGap, stallStart, stall time.Duration) {
	t.Helper()
	if got.Sent != sent || got.Failed != failed {
		t.Errorf("sent %d, failed %d; want %d, %d", got.Sent, got.Failed, sent, failed)
	}
	if !slices.Equal(got.Runs, runs) {
		t.Errorf("runs %v, want %v", got.Runs, runs)
	}
	if !slices.Equal(got.Gaps, gaps) {
		t.Errorf("gaps %v, want %v", got.Gaps, gaps)
	}
	if got.StallStart != stallStart || got.LongestStall != stall {
		t.Errorf("longest stall %v from %v, want %v from %v", got.LongestStall, got.StallStart, stall, stallStart)
	}
	var sum int64
	for _, r := range got.Runs {
		sum += r.N
	}
	if sum != got.Sent || got.Lateness.TotalCount() != got.Sent {
		t.Errorf("runs hold %d of %d probes, lateness %d", sum, got.Sent, got.Lateness.TotalCount())
	}
}

func TestFoldAllGood(t *testing.T) {
	f := foldAll(synthetic(-300*ms, time.Second, nil))
	mustFold(t, f.recording(time.Second, true), 100, 0, []ProbeRun{{0, 990 * ms, 991 * ms, 100, true, 0}}, nil, ms, 10*ms)
}

func TestFoldOutages(t *testing.T) {
	// Refused for 40 ms: over at once. Silent for 400 ms: each fails a second later.
	probes := synthetic(-50*ms, 3*time.Second, func(p *probe) bool {
		return failing(500*ms, 540*ms, CauseRefused, ms)(p) && failing(1000*ms, 1400*ms, CauseTimeout, time.Second)(p)
	})
	want := []ProbeRun{
		{0, 490 * ms, 491 * ms, 50, true, 0}, {500 * ms, 530 * ms, 531 * ms, 4, false, 501 * ms},
		{540 * ms, 990 * ms, 991 * ms, 46, true, 0}, {1000 * ms, 1390 * ms, 2390 * ms, 40, false, 1000 * ms},
		{1400 * ms, 2990 * ms, 2991 * ms, 160, true, 0},
	}
	// The order of arrival does not matter.
	shuffled := slices.Clone(probes)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, order := range [][]probe{probes, byDone(probes), shuffled} {
		rec := foldAll(order).recording(3*time.Second, true)
		mustFold(t, rec, 300, 44, want, nil, 991*ms, 410*ms)
		if rec.Failures[CauseRefused] != 4 || rec.Failures[CauseTimeout] != 40 || rec.Examples[CauseRefused] != "refused" || rec.Connections != "new" || rec.Every != 10*ms {
			t.Errorf("%+v", rec)
		}
	}
}

func TestFoldHangIsAStallNotAnOutage(t *testing.T) {
	// Frozen from 500 to 900 ms: what was sent meanwhile is answered afterwards.
	probes := synthetic(0, 2*time.Second, func(p *probe) bool {
		if 500*ms <= p.send && p.send < 900*ms {
			p.done = 901 * ms
		}
		return true
	})
	rec := foldAll(byDone(probes)).recording(2*time.Second, true)
	mustFold(t, rec, 200, 0, []ProbeRun{{0, 1990 * ms, 1991 * ms, 200, true, 0}}, nil, 491*ms, 410*ms)
}

func TestFoldStallsAtBothEnds(t *testing.T) {
	probes := synthetic(0, time.Second, func(p *probe) bool { return failing(700*ms, time.Second, CauseReset, ms)(p) })
	mustFold(t, foldAll(probes).recording(time.Second, true), 100, 30,
		[]ProbeRun{{0, 690 * ms, 691 * ms, 70, true, 0}, {700 * ms, 990 * ms, 991 * ms, 30, false, 701 * ms}}, nil, 691*ms, 309*ms)
	probes = synthetic(0, time.Second, func(p *probe) bool { return failing(0, 300*ms, CauseReset, ms)(p) })
	mustFold(t, foldAll(probes).recording(time.Second, true), 100, 30,
		[]ProbeRun{{0, 290 * ms, 291 * ms, 30, false, 1 * ms}, {300 * ms, 990 * ms, 991 * ms, 70, true, 0}}, nil, 0, 301*ms)
	// Never good: it lasts throughout.
	probes = synthetic(-100*ms, time.Second, func(p *probe) bool { return failing(-time.Second, time.Second, CauseReset, ms)(p) })
	mustFold(t, foldAll(probes).recording(time.Second, true), 100, 100, []ProbeRun{{0, 990 * ms, 991 * ms, 100, false, 1 * ms}}, nil, 0, time.Second)
}

func TestFoldGaps(t *testing.T) {
	// 20 ms between sends is no gap, 30 ms is.
	probes := synthetic(0, time.Second, func(p *probe) bool {
		return p.due != 200*ms && p.due != 400*ms && p.due != 410*ms && (p.due < 600*ms || p.due >= 900*ms)
	})
	rec := foldAll(probes).recording(time.Second, true)
	mustFold(t, rec, 67, 0, []ProbeRun{{0, 990 * ms, 991 * ms, 67, true, 0}},
		[]ProbeGap{{390 * ms, 420 * ms}, {590 * ms, 900 * ms}}, 191*ms, 20*ms)
	// The same at t = 0 and at the end.
	probes = synthetic(-20*ms, time.Second, func(p *probe) bool { return p.due <= -10*ms || 50*ms <= p.due && p.due < 900*ms })
	mustFold(t, foldAll(probes).recording(time.Second, true), 85, 0, []ProbeRun{{50 * ms, 890 * ms, 891 * ms, 85, true, 0}},
		[]ProbeGap{{0, 50 * ms}, {890 * ms, time.Second}}, 51*ms, 10*ms)
	// Late sends are where they were, not where they were due.
	probes = synthetic(0, 200*ms, func(p *probe) bool {
		if p.due == 100*ms {
			p.send, p.done = 135*ms, 136*ms
		}
		return p.due <= 100*ms || p.due >= 140*ms
	})
	rec = foldAll(probes).recording(200*ms, true)
	mustFold(t, rec, 17, 0, []ProbeRun{{0, 190 * ms, 191 * ms, 17, true, 0}}, []ProbeGap{{90 * ms, 135 * ms}}, ms, 10*ms)
	if got := rec.Lateness.Max(); !near(float64(got), 35000, 40) {
		t.Errorf("late by %d µs", got)
	}
}

// What the prober itself could not send is as unobserved as what it did not send.
func TestFoldOwnFailures(t *testing.T) {
	own := func(a, b time.Duration) func(*probe) bool { return failing(a, b, CauseGenerator, 0) }
	// No descriptor left from 500 to 800 ms, and for a single probe at 900 ms.
	probes := synthetic(-50*ms, time.Second, func(p *probe) bool { return own(500*ms, 800*ms)(p) && own(900*ms, 910*ms)(p) })
	rec := foldAll(probes).recording(time.Second, true)
	mustFold(t, rec, 69, 0, []ProbeRun{{0, 990 * ms, 991 * ms, 69, true, 0}}, []ProbeGap{{490 * ms, 800 * ms}}, 891*ms, 20*ms)
	if rec.Failures[CauseGenerator] != 31 || rec.Examples[CauseGenerator] != "generator" {
		t.Errorf("%d failures of the prober itself, example %q", rec.Failures[CauseGenerator], rec.Examples[CauseGenerator])
	}
	// Refused before and after: the outage is what was seen of it.
	probes = synthetic(0, time.Second, func(p *probe) bool { return failing(400*ms, 900*ms, CauseRefused, ms)(p) && own(500*ms, 800*ms)(p) })
	mustFold(t, foldAll(probes).recording(time.Second, true), 70, 20,
		[]ProbeRun{{0, 390 * ms, 391 * ms, 40, true, 0}, {400 * ms, 890 * ms, 891 * ms, 20, false, 401 * ms}, {900 * ms, 990 * ms, 991 * ms, 10, true, 0}},
		[]ProbeGap{{490 * ms, 800 * ms}}, 800*ms, 101*ms)
	// From the first to the last: nothing was seen.
	mustFold(t, foldAll(synthetic(-50*ms, time.Second, own(-time.Second, time.Second))).recording(time.Second, true), 0, 0, nil, []ProbeGap{{0, time.Second}}, 0, 0)
}

func TestFoldProberThatDies(t *testing.T) {
	// It dies at 600 ms in a hang that began at 500 ms: what was in flight is
	// unknown, and nothing after it is held against the target.
	probes := synthetic(0, 500*ms, nil)
	rec := foldAll(probes).recording(2*time.Second, true)
	mustFold(t, rec, 50, 0, []ProbeRun{{0, 490 * ms, 491 * ms, 50, true, 0}}, []ProbeGap{{490 * ms, 2 * time.Second}}, ms, 10*ms)
	// One that never sent saw nothing.
	rec = newProbeFold("new", 10*ms, time.Second).recording(time.Second, true)
	mustFold(t, rec, 0, 0, nil, []ProbeGap{{0, time.Second}}, 0, 0)
}

func TestFoldWhileProbesAreInFlight(t *testing.T) {
	// Silent from 500 ms on: at 1.2 s the probes from 500 ms on are undecided,
	// though a few sent later may have ended.
	probes := synthetic(0, 500*ms, nil)
	f := foldAll(probes)
	f.add(probe{seq: 55, due: 550 * ms, send: 550 * ms, done: 552 * ms})
	want := []ProbeRun{{0, 490 * ms, 491 * ms, 50, true, 0}}
	mustFold(t, f.recording(5*time.Second, false), 50, 0, want, nil, ms, 10*ms)
	if f.add(probe{seq: 50, due: 500 * ms, send: 501 * ms, done: 1501 * ms, cause: CauseTimeout}); f.recording(time.Hour, false).Failed != 1 {
		t.Error("a probe that is known is not folded")
	}
	// Looking changes nothing.
	a, b := f.recording(time.Hour, false), f.recording(time.Hour, false)
	a.Lateness, b.Lateness = nil, nil
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%+v, then %+v", a, b)
	}
	// Nothing is known before the first report.
	mustFold(t, newProbeFold("new", 10*ms, time.Second).recording(time.Second, false), 0, 0, nil, nil, 0, 0)
}

func TestFoldEndsInThePast(t *testing.T) {
	f := foldAll(byDone(synthetic(-time.Second, 20*time.Second, failing(9*time.Second, 11*time.Second, CauseTimeout, time.Second))))
	mustFold(t, f.recording(10*time.Second, true), 1000, 100, []ProbeRun{{0, 8990 * ms, 8991 * ms, 900, true, 0}, {9 * time.Second, 9990 * ms, 10990 * ms, 100, false, 9 * time.Second}}, nil, 8991*ms, 1009*ms)
}

func TestFoldKeepsLittle(t *testing.T) {
	f := newProbeFold("new", 10*ms, time.Second)
	for _, p := range synthetic(0, time.Hour, nil) {
		f.add(p)
	}
	if limit := int(holdBack/(10*ms)) + 2*foldBatch; cap(f.pending) > 2*limit || cap(f.goods) > 2*limit || len(f.dues) > 0 {
		t.Errorf("%d and %d probes kept, %d dues", cap(f.pending), cap(f.goods), len(f.dues))
	}
	mustFold(t, f.recording(time.Hour, true), 360000, 0, []ProbeRun{{0, time.Hour - 10*ms, time.Hour - 9*ms, 360000, true, 0}}, nil, ms, 10*ms)
}

package reports

import (
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

// goodsOf makes counts of good answers from a string of 10 ms steps: an x is one
// with an answer.
func goodsOf(pattern string) loadgen.Goods {
	g := loadgen.Goods{Width: loadgen.CellWidth, N: make([]uint32, len(pattern))}
	for i := range pattern {
		if pattern[i] == 'x' {
			g.N[i] = 2
		}
	}
	return g
}

func TestLongestGap(t *testing.T) {
	of := func(pattern string, end time.Duration) *loadgen.Recording {
		rec := &loadgen.Recording{OK: 1, Failed: 1, End: end, Goods: goodsOf(pattern)}
		return rec
	}
	for name, c := range map[string]struct {
		want float64
		recs []*loadgen.Recording
	}{
		"in the middle":      {0.06, []*loadgen.Recording{of("xx......x.x", 110*msec)}},
		"at the beginning":   {0.05, []*loadgen.Recording{of(".....xxxx", 90*msec)}},
		"to the end":         {0.91, []*loadgen.Recording{of("xxx.x....", time.Second-40*msec)}},
		"too short to see":   {0, []*loadgen.Recording{of("x..x.x..x", 90*msec)}},
		"nothing was good":   {0.09, []*loadgen.Recording{{Failed: 1, End: 90 * msec}}},
		"one covers another": {0.03, []*loadgen.Recording{of("xxxx...x", 80*msec), of("x......x", 80*msec)}},
	} {
		if got := longestGap(0, c.recs...); got == nil || *got < c.want-1e-9 || *got > c.want+1e-9 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for name, recs := range map[string][]*loadgen.Recording{
		"no stream": {}, "no request": {{}}, "a recording that does not tell": {{OK: 5, End: time.Second}},
	} {
		if got := longestGap(0, recs...); got != nil {
			t.Errorf("%s: %v is known", name, *got)
		}
	}
	rec := stream("main", 100)
	rec.Goods = goodsOf("x.........x")
	rec.End = 110 * msec
	run := Run{Duration: time.Second, Loads: []*loadgen.Recording{rec}, Objectives: objectives("longest_gap < 50ms", "main.longest_gap < 100ms")}
	r := Fold(run)
	if r.SLOs[0].OK || !r.SLOs[1].OK || *r.Load[0].LongestGapS != 0.09 {
		t.Errorf("objectives %+v, gap %v", r.SLOs, *r.Load[0].LongestGapS)
	}
}

// Once nothing is sent any more, what still waits for a timeout is neither a gap
// nor time in which there could have been good answers.
func TestAfterTheEndOfSending(t *testing.T) {
	rec := func(end, until time.Duration, pattern string) *loadgen.Recording {
		r := stream("main", 1000, cell(200*msec, 490*msec, 1))
		r.End, r.Until, r.Goods = end, until, goodsOf(pattern)
		return r
	}
	for name, c := range map[string]struct {
		rec             *loadgen.Recording
		length          time.Duration
		throughput, gap float64
	}{
		"timeouts after the end":          {rec(500*msec, 200*msec, "xxxxxxxxxxxxxxxxxxxx"), 200 * msec, 5000, 0},
		"another stream sends on":         {rec(500*msec, 200*msec, "xxxxxxxxxxxxxxxxxxxx"), time.Second, 5000, 0},
		"the last good answer comes late": {rec(500*msec, 200*msec, "xxxxxxxxxxxxxxxx.........x"), 200 * msec, 1000 / 0.26, 0.09},
		"within its last step":            {rec(255*msec, 200*msec, "xxxxxxxxxxxxxxxx.........x"), 200 * msec, 1000 / 0.255, 0.09},
		"ended early":                     {rec(150*msec, 200*msec, "xxxxxxxxxxxxxxx"), 150 * msec, 1000 / 0.15, 0},
		"a hang to the end":               {rec(500*msec, 200*msec, "xxxxxxxxxx"), 200 * msec, 5000, 0.1},
		"a count lasts until all is done": {rec(500*msec, 0, "xxxxxxxxxx"), 500 * msec, 2000, 0.4},
	} {
		r := Fold(Run{Duration: c.length, Loads: []*loadgen.Recording{c.rec}, Objectives: objectives("throughput > 1/s", "longest_gap < 1s")})
		near(t, name+": throughput", r.ThroughputRPS, c.throughput)
		near(t, name+": that of the stream", r.Load[0].ThroughputRPS, c.throughput)
		near(t, name+": that of the objective", r.SLOs[0].Value, c.throughput)
		near(t, name+": gap", r.Load[0].LongestGapS, c.gap)
		near(t, name+": that of the objective", r.SLOs[1].Value, c.gap)
	}
}

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
		if got := longestGap(c.recs...); got == nil || *got < c.want-1e-9 || *got > c.want+1e-9 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for name, recs := range map[string][]*loadgen.Recording{
		"no stream": {}, "no request": {{}}, "a recording that does not tell": {{OK: 5, End: time.Second}},
	} {
		if got := longestGap(recs...); got != nil {
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

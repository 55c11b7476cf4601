package reports

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Five crashes that each cost downtime against five that cost none are evidence,
// though a side without any outage has an interval that is wide.
func TestCompareByRepetition(t *testing.T) {
	down, up := Fold(crashes(26, 45, 45, 47, 21)), Fold(crashes(0, 0, 0, 0, 0))
	for _, test := range []struct {
		from, to *Report
		want     Word
	}{{down, up, Better}, {up, down, Worse}} {
		d := Compare(test.from, test.to).Comparison.Pairs[0].Differences[1]
		if d.Metric != "downtime" || d.Word != test.want || !strings.Contains(d.Reason, "5 faults here against 5 there") {
			t.Errorf("%+v, want %s", d, test.want)
		}
	}
	// One crash of five that cost something is no evidence.
	for _, few := range []*Report{Fold(crashes(0, 0, 45, 0, 0)), Fold(crashes(0, 9, 0, 9, 0))} {
		if d := Compare(few, up).Comparison.Pairs[0].Differences[1]; d.Word == Better || d.Word == Worse {
			t.Errorf("%+v", d)
		}
	}
}

// Of pairs of runs whose repetitions come from one distribution no more than
// five of a hundred are called different.
func TestSameRepetitionsAreNotDifferent(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	draw := func() *Report {
		down := make([]int, 5)
		for i := range down {
			if r.IntN(2) == 0 {
				down[i] = int(20 * r.ExpFloat64())
			}
		}
		return Fold(crashes(down...))
	}
	const pairs = 200
	wrong := 0
	for range pairs {
		if calledDifferent(Compare(draw(), draw()).Comparison) {
			wrong++
		}
	}
	t.Logf("%d of %d pairs are called different", wrong, pairs)
	if wrong > pairs*5/100 {
		t.Errorf("%d of %d", wrong, pairs)
	}
}

func TestPermutationTest(t *testing.T) {
	// Of the 252 ways to divide ten values, two are as extreme: p = 0.0079.
	p, more := permutationTest([]string{"crash"}, map[string][]float64{"crash": {0, 0, 0, 0, 0}}, map[string][]float64{"crash": {1, 2, 3, 4, 5}})
	if p < 0.006 || p > 0.010 || !more {
		t.Errorf("p = %v, more %v", p, more)
	}
	if p, _ := permutationTest([]string{"crash"}, map[string][]float64{"crash": {1, 1}}, map[string][]float64{"crash": {1, 1}}); p < 1-pairLevel {
		t.Errorf("p of equals is %v", p)
	}
}

// The smallest p is one in the number of permutations, and never none at all.
func TestChance(t *testing.T) {
	for p, want := range map[float64]string{0.00005: "p < 0.001", 0.001: "p = 0.001", 0.0079: "p = 0.008"} {
		if got := chance(p); got != want {
			t.Errorf("%v is %q, want %q", p, got, want)
		}
	}
}

package balance

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func candidates(weights ...float64) (all []Candidate) {
	for i, w := range weights {
		all = append(all, Candidate{Slot: i + 1, Weight: w})
	}
	return all
}

func picker(t testing.TB, name string) Picker {
	t.Helper()
	p, err := New(name, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sequence(p Picker, all []Candidate, n int) string {
	var s strings.Builder
	for range n {
		s.WriteByte('a' + byte(p.Pick(all, "")))
	}
	return s.String()
}

func TestUnknownAlgorithm(t *testing.T) {
	if _, err := New("fair", 1); err == nil || !strings.Contains(err.Error(), "least-connections") {
		t.Errorf("got %v", err)
	}
}

func TestSequences(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights []float64
		want    string
	}{
		{"round-robin", []float64{1, 1, 1}, "abcabca"},
		{"round-robin", []float64{9, 1, 1}, "abcabca"},
		{"weighted-round-robin", []float64{5, 1, 1}, "aabacaa"},
		{"weighted-round-robin", []float64{3, 2, 1}, "abacba"},
		{"least-connections", []float64{1, 1, 1}, "abcabca"},
	} {
		if got := sequence(picker(t, c.name), candidates(c.weights...), len(c.want)); got != c.want {
			t.Errorf("%s of %v: %s, want %s", c.name, c.weights, got, c.want)
		}
	}
}

func TestRoundRobinKeepsItsPlace(t *testing.T) {
	p, all := picker(t, "round-robin"), candidates(1, 1, 1)
	p.Pick(all, "")
	p.Pick(all, "") // slot 2; it goes, and the next is slot 3
	if i := p.Pick([]Candidate{all[0], all[2]}, ""); i != 1 {
		t.Errorf("chose index %d", i)
	}
}

func TestShares(t *testing.T) {
	const n = 60000
	for _, name := range []string{"weighted-round-robin", "random", "ip-hash"} {
		p, all := picker(t, name), candidates(3, 2, 1)
		var got [3]float64
		for i := range n {
			got[p.Pick(all, fmt.Sprintf("10.0.%d.%d", i/256, i%256))]++
		}
		for i, want := range []float64{3. / 6, 2. / 6, 1. / 6} {
			if math.Abs(got[i]/n-want) > 0.02 {
				t.Errorf("%s gives backend %d a share of %.3f, want %.3f", name, i+1, got[i]/n, want)
			}
		}
	}
}

// Requests that never end: what each has follows the weights.
func TestLeastConnectionsFillsByWeight(t *testing.T) {
	p, all := picker(t, "least-connections"), candidates(3, 2, 1)
	for range 600 {
		all[p.Pick(all, "")].InFlight++
	}
	if all[0].InFlight != 300 || all[1].InFlight != 200 || all[2].InFlight != 100 {
		t.Errorf("got %+v", all)
	}
}

func TestLeastResponseTimeAvoidsTheSlow(t *testing.T) {
	p, all := picker(t, "least-response-time"), candidates(1, 1, 1)
	all[0].Latency, all[1].Latency = 100*time.Millisecond, 10*time.Millisecond
	for range 110 {
		all[p.Pick(all, "")].InFlight++
	}
	if slow, fast, unknown := all[0].InFlight, all[1].InFlight, all[2].InFlight; slow > 6 || math.Abs(float64(fast-unknown)) > 1 {
		t.Errorf("slow %d, fast %d, unknown %d", slow, fast, unknown)
	}
}

func TestHashMovesOnlyWhatItMust(t *testing.T) {
	p, all := picker(t, "ip-hash"), candidates(1, 1, 1, 1)
	less := append(append([]Candidate{}, all[:2]...), all[3])
	for i := range 1000 {
		key := fmt.Sprint("key", i)
		before := all[p.Pick(all, key)].Slot
		if again := all[p.Pick(all, key)].Slot; again != before {
			t.Fatalf("%s is once at %d and once at %d", key, before, again)
		}
		if after := less[p.Pick(less, key)].Slot; before != 3 && after != before {
			t.Fatalf("%s moved from %d to %d though 3 went", key, before, after)
		}
	}
}

func TestRandomTwoPrefersTheIdle(t *testing.T) {
	p, all := picker(t, "random-two"), candidates(1, 1)
	all[0].InFlight = 1
	if got := sequence(p, all, 20); got != strings.Repeat("b", 20) {
		t.Errorf("of two it chose %s", got)
	}
	// A queue of ten stays even.
	all = candidates(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	for range 1000 {
		all[p.Pick(all, "")].InFlight++
	}
	for _, c := range all {
		if c.InFlight < 95 || c.InFlight > 105 {
			t.Errorf("backend %d has %d of 1000", c.Slot, c.InFlight)
		}
	}
}

func TestSameSeedSameChoices(t *testing.T) {
	for _, name := range Algorithms() {
		all := candidates(1, 2, 3, 4)
		if a, b := sequence(picker(t, name), all, 200), sequence(picker(t, name), all, 200); a != b {
			t.Errorf("%s chose\n%s and\n%s", name, a, b)
		}
	}
}

func TestEWMA(t *testing.T) {
	var e EWMA
	if e.Value() != 0 {
		t.Error("an average of nothing")
	}
	e.Add(0, 100*time.Millisecond)
	e.Add(Tau, 0)
	if got, want := e.Value().Seconds(), 0.1/math.E; math.Abs(got-want) > 1e-6 {
		t.Errorf("after one time constant %v, want %v", got, want)
	}
}

// A backend that was slow once and gets nothing since is tried again some time.
func TestEWMAFades(t *testing.T) {
	var slow, fast EWMA
	if slow.Faded(0) != 0 {
		t.Error("an average of nothing")
	}
	slow.Add(0, 100*time.Millisecond)
	if got, want := slow.Faded(Forget).Seconds(), 0.1/math.E; math.Abs(got-want) > 1e-6 {
		t.Errorf("after %v without a request %v, want %v", Forget, got, want)
	}
	if slow.Faded(time.Hour) <= 0 {
		t.Error("what is long ago counts as unknown")
	}
	p := picker(t, "least-response-time")
	for at := time.Duration(0); ; at += 10 * time.Millisecond {
		fast.Add(at, 2*time.Millisecond)
		all := []Candidate{{Slot: 1, Weight: 1, Latency: slow.Faded(at)}, {Slot: 2, Weight: 1, Latency: fast.Faded(at)}}
		if p.Pick(all, "") == 0 {
			if want := time.Duration(math.Log(50) * float64(Forget)); (at - want).Abs() > time.Second {
				t.Errorf("tried again after %v, want %v", at, want)
			}
			return
		}
		if at > time.Minute {
			t.Fatal("it is not tried again")
		}
	}
}

func TestRamp(t *testing.T) {
	for _, c := range []struct {
		age, over time.Duration
		want      float64
	}{{0, 0, 1}, {0, time.Second, 0.1}, {time.Second / 2, time.Second, 0.5}, {time.Second, time.Second, 1}, {time.Hour, time.Second, 1}} {
		if got := Ramp(c.age, c.over); got != c.want {
			t.Errorf("Ramp(%v, %v) = %v, want %v", c.age, c.over, got, c.want)
		}
	}
}

// FuzzPick: whatever comes and goes, a choice is one of the candidates.
func FuzzPick(f *testing.F) {
	f.Add([]byte{3, 1, 2, 250}, "192.0.2.1")
	f.Fuzz(func(t *testing.T, steps []byte, key string) {
		for _, name := range Algorithms() {
			p := picker(t, name)
			for _, step := range steps {
				var all []Candidate
				for slot := 1; slot <= 5; slot++ {
					if step&(1<<slot) != 0 || slot == 1 {
						all = append(all, Candidate{Slot: slot, Weight: float64(step%7)/3 + 0.1, InFlight: int(step) * slot % 11, Latency: time.Duration(step%5) * time.Millisecond})
					}
				}
				if i := p.Pick(all, key); i < 0 || i >= len(all) {
					t.Fatalf("%s chose %d of %d", name, i, len(all))
				}
			}
		}
	})
}

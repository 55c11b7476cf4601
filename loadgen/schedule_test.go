package loadgen

import (
	"math"
	"slices"
	"testing"
	"time"
)

// until collects what is due before a moment, and checks that it ascends.
func until(t *testing.T, a arrivals, end time.Duration) []time.Duration {
	t.Helper()
	var dues []time.Duration
	for {
		due, ok := a.next()
		if !ok || due >= end {
			return dues
		}
		if n := len(dues); n > 0 && due < dues[n-1] || due < 0 {
			t.Fatalf("due at %v after %v", due, dues[n-1])
		}
		dues = append(dues, due)
	}
}

// rateAround counts arrivals from a to b, per second.
func rateAround(dues []time.Duration, a, b time.Duration) float64 {
	n := 0
	for _, d := range dues {
		if a <= d && d < b {
			n++
		}
	}
	return float64(n) / (b - a).Seconds()
}

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

func TestConstantArrivals(t *testing.T) {
	for _, rate := range []float64{0.4, 1, 3, 500, 999.5, 30000} {
		dues := until(t, newConstant(rateOf(rate)), 15*time.Second)
		if want := math.Ceil(15 * rate); !near(float64(len(dues)), want, 1+want*1e-4) {
			t.Errorf("%v/s: %d in 15 s, want %v", rate, len(dues), want)
		}
		for i, d := range dues {
			if want := float64(i) / rate; !near(d.Seconds(), want, 2e-3) {
				t.Fatalf("%v/s: request %d due at %v, want %v s", rate, i, d, want)
			}
		}
	}
	if dues := until(t, newConstant(500), 15*time.Second); len(dues) != 7500 {
		t.Errorf("500/s for 15 s are %d requests", len(dues))
	}
}

func TestRampArrivals(t *testing.T) {
	for _, c := range []struct{ from, to float64 }{{100, 1000}, {1000, 100}, {0, 2000}, {2000, 0}, {50, 50}, {0, 1}} {
		over := 10 * time.Second
		o := &Open{Ramp: &Ramp{From: rateOf(c.from), To: rateOf(c.to), Over: seconds(10)}}
		dues := until(t, newArrivals(o, 1), 20*time.Second)
		want := (c.from+c.to)/2*10 + c.to*10
		if !near(float64(len(dues)), want, 3) {
			t.Errorf("%v: %d requests, want %v", c, len(dues), want)
		}
		for at := time.Duration(0); at < over; at += time.Second {
			middle := c.from + (c.to-c.from)*(at.Seconds()+0.5)/10
			if got := rateAround(dues, at, at+time.Second); !near(got, middle, 2) {
				t.Errorf("%v: %v/s from %v on, want %v", c, got, at, middle)
			}
		}
		if got := rateAround(dues, over, 2*over); !near(got, c.to, 0.2) {
			t.Errorf("%v: %v/s after the ramp", c, got)
		}
		if got := meanRate(o, 20*time.Second, 0); !near(got, want/20, 0.01) {
			t.Errorf("%v: mean rate %v, want %v", c, got, want/20)
		}
		if n := int64(len(dues)); n > 20 {
			if got, want := meanRate(o, 0, n/2), float64(n/2)/dues[n/2-1].Seconds(); !near(got, want, want/50+0.1) {
				t.Errorf("%v: mean rate of %d requests %v, want %v", c, n/2, got, want)
			}
		}
	}
}

func TestSineArrivals(t *testing.T) {
	o := &Open{Sine: &Sine{Mean: 500, Amplitude: 499, Period: seconds(4)}}
	dues := until(t, newArrivals(o, 1), 8*time.Second)
	if !near(float64(len(dues)), 4000, 3) {
		t.Errorf("%d requests in two periods, want 4000", len(dues))
	}
	for period := range time.Duration(2) {
		start := period * 4 * time.Second
		if up, down := rateAround(dues, start, start+2*time.Second), rateAround(dues, start+2*time.Second, start+4*time.Second); !near(up, 500+499*2/math.Pi, 3) || !near(down, 500-499*2/math.Pi, 3) {
			t.Errorf("period %d: %v/s up, %v/s down", period, up, down)
		}
	}
}

func TestPoissonArrivals(t *testing.T) {
	o := &Open{Poisson: &Poisson{Rate: 1000}}
	dues := until(t, newArrivals(o, 7), 20*time.Second)
	if !near(float64(len(dues)), 20000, 4*math.Sqrt(20000)) {
		t.Errorf("%d requests, want about 20000", len(dues))
	}
	// The variance of counts equals their mean.
	var sum, squares float64
	for at := time.Duration(0); at < 20*time.Second; at += 10 * time.Millisecond {
		n := rateAround(dues, at, at+10*time.Millisecond) / 100
		sum, squares = sum+n, squares+n*n
	}
	mean := sum / 2000
	if variance := squares/2000 - mean*mean; !near(variance/mean, 1, 0.2) {
		t.Errorf("variance ÷ mean of counts is %v", variance/mean)
	}
	if !slices.Equal(dues, until(t, newArrivals(o, 7), 20*time.Second)) || slices.Equal(dues, until(t, newArrivals(o, 8), 20*time.Second)) {
		t.Error("the seed does not decide the arrivals")
	}
}

func TestLineCountsFromTheEpoch(t *testing.T) {
	g := newGenerator(t, Options{URL: "http://h/", Epoch: 1e9, Stream: Stream{Open: &Open{Rate: 10}, Count: 25}})
	l := newLine(g, 500e6)
	warm, counted := 0, 0
	for {
		due, ok := l.peek()
		if !ok {
			break
		}
		if due < g.epoch {
			warm++
		} else if want := g.epoch.Add(time.Duration(counted) * 100 * time.Millisecond); due != want {
			t.Errorf("request %d due at %d, want %d", counted, due, want)
			counted++
		} else {
			counted++
		}
		l.pop()
	}
	if warm != 5 || counted != 25 {
		t.Errorf("%d in the warm-up, %d counted; want 5 and 25", warm, counted)
	}
}

func TestRequestsAreDrawnByWeight(t *testing.T) {
	g := newGenerator(t, Options{URL: "http://h/", Seed: 3, Stream: Stream{Closed: &Closed{Concurrency: 1}, Count: 1, Requests: []Request{{Path: "/a", Weight: 1}, {Path: "/b", Weight: 3}, {Path: "/c"}}}})
	p, same, other := newPicker(g.requests, 3, 0), newPicker(g.requests, 3, 0), newPicker(g.requests, 3, 1)
	counts, differ := map[*request]int{}, false
	for range 10000 {
		q := p.pick()
		counts[q]++
		if same.pick() != q {
			t.Fatal("the same seed draws others")
		}
		differ = other.pick() != q || differ
	}
	for i, want := range []float64{2000, 6000, 2000} {
		if got := counts[g.requests[i].request]; !near(float64(got), want, 200) {
			t.Errorf("request %d drawn %d times, want about %v", i, got, want)
		}
	}
	if !differ {
		t.Error("two clients draw the same")
	}
}

package reports

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	simulatedRuns = 2000
	meanBurst     = 0.2 // seconds
	simulatedTime = 120 * time.Second
)

// burstLengths draw the length of a burst, in seconds, of mean meanBurst.
var burstLengths = map[string]func(*rand.Rand) float64{
	"exponential": func(r *rand.Rand) float64 { return meanBurst * r.ExpFloat64() },
	"lognormal":   func(r *rand.Rand) float64 { return meanBurst * math.Exp(r.NormFloat64()-0.5) },
}

// simulateBursts is a prober's recording of a service that is down in bursts
// which begin at random moments. Probability theory knows its true uptime: that
// of a queue with unlimited servers that nobody is in (M/G/∞), exp(−λ·mean/T).
func simulateBursts(r *rand.Rand, expected float64, length func(*rand.Rand) float64) *loadgen.ProbeRecording {
	const before = 30 * time.Second // bursts that began before t = 0 and last beyond it
	all := before + simulatedTime
	n := int(distuv.Poisson{Lambda: expected * float64(all) / float64(simulatedTime), Src: r}.Rand())
	type span struct{ from, to time.Duration }
	spans := make([]span, n)
	for i := range spans {
		from := time.Duration(r.Float64()*float64(all)) - before
		spans[i] = span{from, from + duration(length(r))}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	rec := &loadgen.ProbeRecording{Connections: "new", Every: every, Timeout: time.Second}
	add := func(until time.Duration, good bool) { // probes from rec.Sent on that are sent before until
		first := time.Duration(rec.Sent) * every
		count := int64((min(until, simulatedTime) - first + every - 1) / every)
		if count <= 0 {
			return
		}
		last := first + time.Duration(count-1)*every
		rec.Sent += count
		if !good {
			rec.Failed += count
		}
		if k := len(rec.Runs) - 1; k >= 0 && rec.Runs[k].Good == good {
			rec.Runs[k].Last, rec.Runs[k].Finish, rec.Runs[k].N = last, last, rec.Runs[k].N+count
			return
		}
		rec.Runs = append(rec.Runs, loadgen.ProbeRun{First: first, Last: last, Finish: last, Broke: first, N: count, Good: good})
	}
	for _, s := range spans {
		add(s.from, true)
		add(s.to, false)
	}
	add(simulatedTime, true)
	return rec
}

// wilson is the interval of a coin tossed n times (Wilson, 1927).
func wilson(good, n float64) [2]float64 {
	const z = 1.959964
	p := good / n
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return [2]float64{centre - half, centre + half}
}

func encloses(interval *[2]float64, truth float64) bool {
	return interval != nil && interval[0] <= truth && truth <= interval[1]
}

// The interval holds the true uptime as often as it says, however few failures a
// run has seen. This chose the method: see [losses.interval].
func TestIntervalCoverage(t *testing.T) {
	for kind, length := range burstLengths {
		for _, expected := range []float64{2, 5, 10, 30} {
			t.Run(fmt.Sprintf("%s/%v", kind, expected), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(2026, uint64(expected)))
				truth := math.Exp(-expected * meanBurst / simulatedTime.Seconds())
				var covered, tossed int
				for range simulatedRuns {
					rec := simulateBursts(r, expected, length)
					run := Run{Duration: simulatedTime, Probes: []*loadgen.ProbeRecording{rec}}
					a := Availability{Uptime: ratio(rec.Sent-rec.Failed, rec.Sent)}
					foldIntervals(&run, nil, &a)
					if encloses(a.UptimeCI95, truth) {
						covered++
					}
					coin := wilson(float64(rec.Sent-rec.Failed), float64(rec.Sent))
					if encloses(&coin, truth) {
						tossed++
					}
				}
				share := float64(covered) / simulatedRuns
				t.Logf("the interval holds the truth in %.1f %% of the runs, Wilson's in %.1f %%", 100*share, 100*float64(tossed)/simulatedRuns)
				if share < 0.93 {
					t.Errorf("only in %.2f %%", 100*share)
				}
				if expected >= 10 && share > 0.97 {
					t.Errorf("in %.2f %%: it is wider than it says", 100*share)
				}
			})
		}
	}
}

// The same for the repetitions of a fault. Few of them with a heavy tail are
// covered less often; the doc comment says so.
func TestRepetitionCoverage(t *testing.T) {
	for _, c := range []struct {
		kind  string
		n     int
		least float64
	}{
		{"exponential", 5, 0.93}, {"exponential", 10, 0.93}, {"exponential", 30, 0.93},
		{"lognormal", 5, 0.89}, {"lognormal", 10, 0.90}, {"lognormal", 30, 0.93},
	} {
		t.Run(fmt.Sprintf("%s/%d", c.kind, c.n), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2026, uint64(c.n)))
			covered := 0
			for range simulatedRuns {
				lost := make([]float64, c.n)
				for i := range lost {
					lost[i] = burstLengths[c.kind](r)
				}
				l := losses{faults: []repetitions{{"crash", lost}}, total: 120, grain: 0.01, worst: 1}
				low, high := l.interval()
				if truth := float64(c.n) * meanBurst; low <= truth && truth <= high {
					covered++
				}
			}
			share := float64(covered) / simulatedRuns
			t.Logf("the interval holds the truth in %.1f %% of the runs", 100*share)
			if share < c.least || share > 0.975 {
				t.Errorf("in %.2f %%", 100*share)
			}
		})
	}
}

// crashes is a run in which a worker is killed n times, every 3 s from 3 s on,
// and each kill costs so many probes.
func crashes(down ...int) Run {
	run := crashRun()
	run.Duration = time.Duration(3*len(down)+3) * time.Second
	run.Faults, run.Ready, run.Loads[0].Cells = nil, nil, nil
	var pattern strings.Builder
	pattern.WriteString(".300")
	for i, n := range down {
		run.Faults = append(run.Faults, kill("crash", i+1, time.Duration(3*i+3)*time.Second))
		if n > 0 {
			fmt.Fprintf(&pattern, "x%d", n)
		}
		fmt.Fprintf(&pattern, ".%d", 300-n)
	}
	run.Probes = []*loadgen.ProbeRecording{probesOf(pattern.String())}
	return run
}

// What a fault does is compared between its repetitions.
func TestIntervalOfRepetitions(t *testing.T) {
	a := Fold(crashes(3, 5, 4, 6, 4)).Availability
	if a.UptimeCI95 == nil {
		t.Fatal(a.CI95Reason)
	}
	// 22 of 1,800 probes failed. By hand: mean 4.4, variance of the sum 5·1.3,
	// quantiles of t with 4 degrees of freedom; gamma bounds are a little wider.
	low, high := 1-30.0/1800, 1-15.0/1800
	if ci := *a.UptimeCI95; ci[0] < low-0.002 || ci[0] > low+0.002 || ci[1] < high-0.001 || ci[1] > high+0.001 {
		t.Errorf("%v, want about %v and %v", ci, low, high)
	}
	// The load's failures were none: an upper bound of 3.69 seconds' requests.
	if ci := a.AvailabilityCI95; ci == nil || ci[1] != 1 || math.Abs(ci[0]-(1-3.6889/18)) > 1e-4 {
		t.Errorf("availability: %v", ci)
	}
}

// Repetitions that differ more make a wider interval; the moment they struck
// makes none.
func TestIntervalWidth(t *testing.T) {
	width := func(down ...int) float64 {
		ci := Fold(crashes(down...)).Availability.UptimeCI95
		return ci[1] - ci[0]
	}
	even, uneven, other := width(10, 10, 10, 10, 10), width(2, 20, 3, 22, 3), width(22, 3, 20, 2, 3)
	if uneven < 2*even || math.Abs(uneven-other) > 1e-9 {
		t.Errorf("even %v, uneven %v, in another order %v", even, uneven, other)
	}
}

func TestNoInterval(t *testing.T) {
	short := Run{Duration: 4 * time.Second, Probes: []*loadgen.ProbeRecording{probesOf(".400")}}
	aborted := crashes(1, 1, 1, 1, 1)
	aborted.Aborted = "availability < 50%"
	for _, c := range []struct {
		run  Run
		want string
	}{
		{crashes(1, 2, 3, 4), "crash struck 4 times: an interval needs 5 repetitions of each fault, or --repeat 5"},
		{crashRun(), "crash struck twice: an interval needs 5 repetitions of each fault, or --repeat 5"},
		{short, "the run was too short: an interval needs 5 blocks of a second"},
		{aborted, "the run did not last as long as its scenario"},
	} {
		a := Fold(c.run).Availability
		if a.CI95Reason != c.want || a.AvailabilityCI95 != nil || a.UptimeCI95 != nil {
			t.Errorf("got %q (%v, %v), want %q", a.CI95Reason, a.AvailabilityCI95, a.UptimeCI95, c.want)
		}
	}
}

// Levels that a draw of a projection reaches with few repetitions; the inverse of
// the library ends the process there.
func TestGammaInverse(t *testing.T) {
	for _, shape := range []float64{1e-3, 0.5, 4.0451, 4.6592, 100, 1e5} {
		last := 0.0
		for _, p := range []float64{0, 1e-300, 0x1.ec82dac30a022p-109, 1e-30, 1e-15, 1e-9, 1e-6, 0.025, 0.5, 0.975, 1 - 1e-9, 1 - 1e-11, 1} {
			x := gammaInverse(shape, p)
			if !(x >= last) || math.IsInf(x, 0) {
				t.Errorf("shape %v, level %v: %v after %v", shape, p, x, last)
			}
			if got := mathext.GammaIncReg(shape, x); x > 0 && p < 1 && math.Abs(got-p) > 1e-6*p+1e-15 {
				t.Errorf("shape %v: the level of %v is %v, want %v", shape, x, got, p)
			}
			last = x
		}
	}
}

// A skipped repetition is none.
func TestIntervalCountsInjected(t *testing.T) {
	run := crashes(1, 2, 3, 4, 5)
	run.Faults[2].State = chaos.Skipped
	if a := Fold(run).Availability; a.UptimeCI95 != nil {
		t.Errorf("%v", a.UptimeCI95)
	}
}

func TestStraddle(t *testing.T) {
	run := crashes(3, 5, 4, 6, 4)
	run.Objectives = objectives("uptime >= 99%", "uptime >= 95%", "downtime < 200ms", "downtime < 5s", "mttr < 1s")
	r := Fold(run)
	if len(r.Warnings) != 2 || !strings.HasPrefix(r.Warnings[0], "the limit of uptime >= 99% lies inside the 95 % interval, 98.") ||
		!strings.HasPrefix(r.Warnings[1], "the limit of downtime < 200ms lies inside") {
		t.Errorf("%q", r.Warnings)
	}
	if r.Verdict != Fail { // 220 ms: the figure itself decides
		t.Error(r.Verdict)
	}
}

// An objective on one stream is held against that stream's own interval.
func TestStraddleOfStream(t *testing.T) {
	run := crashes(1, 1, 1, 1, 1)
	run.Loads[0].OK, run.Loads[0].Failed = run.Loads[0].Sent, 0
	other := *run.Loads[0]
	other.Stream, other.OK, other.Failed = "other", 950, 50
	other.Sent = other.OK + other.Failed
	for i, n := range []int32{4, 16, 9, 15, 6} {
		at := time.Duration(3*i+3) * time.Second
		other.Cells = append(other.Cells, cell(at, at, n))
	}
	run.Loads = append(run.Loads, &other)
	name := run.Loads[0].Stream
	run.Objectives = objectives("other.availability >= 94%", "other.error_rate < 4%", "other.availability >= 80%", name+".availability >= 99.9%")
	r := Fold(run) // main lost nothing
	if len(r.Warnings) != 2 || !strings.HasPrefix(r.Warnings[0], "the limit of other.availability >= 94% lies inside the 95 % interval, 89.") ||
		!strings.HasPrefix(r.Warnings[1], "the limit of other.error_rate < 4% lies inside") {
		t.Errorf("%q", r.Warnings)
	}
}

// Failures at a cut between two seconds are one block, and long ones too.
func TestBlocks(t *testing.T) {
	at := func(ms ...int) (all []lost) {
		for _, m := range ms {
			all = append(all, lost{time.Duration(m) * time.Millisecond, 1})
		}
		return all
	}
	for _, c := range []struct {
		all  []lost
		want []block
	}{
		{at(100, 200, 1500), []block{{1, 2}, {1, 1}}},
		{at(990, 1010), []block{{2, 2}}},
		{at(950, 1040, 1990, 2050, 2500), []block{{3, 5}}},
		{at(500, 1500), []block{{1, 1}, {1, 1}}},
		{at(800, 1250), []block{{1, 1}, {1, 1}}},
		{at(3500), []block{{1, 1}}},
	} {
		if got := blocksOf(c.all); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.all, got, c.want)
		}
	}
}

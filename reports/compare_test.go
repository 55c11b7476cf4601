package reports

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen"
	"gonum.org/v1/gonum/stat/distuv"
)

// playedRun is the report of a simulated run of 60 s: it is down in bursts, loses
// requests in them, recovers from four kills, and differs from other runs of the
// same in throughput and latency by a few per cent.
func playedRun(r *rand.Rand, bursts float64, slower float64) *Report {
	rep := &Report{
		Schema: Schema, Verdict: Pass, DurationS: 60,
		Scenario:    Scenario{Name: "worker-crash", SHA256: "1"},
		Environment: Environment{CPUs: 8}, Target: Target{Kind: "cluster", Workers: 4},
	}
	for n := range 4 {
		rep.Faults = append(rep.Faults, Fault{Name: "crash", N: n + 1, State: "done", DownS: known(0), RecoveryS: known(0.05 * slower * math.Exp(0.5*r.NormFloat64()))})
	}
	down := 0.0
	for range int(distuv.Poisson{Lambda: bursts, Src: r}.Rand()) {
		burst := math.Round(100*meanBurst*r.ExpFloat64()) / 100
		down += burst
		*rep.Faults[r.IntN(4)].DownS += burst // each is one fault's
	}
	rate := 800 / slower * (1 + 0.03*r.NormFloat64())
	all := int64(60 * rate)
	failed := int64(rate * down)
	rep.Load = []Load{{
		Name: "main", Requests: Requests{Sent: all, OK: all - failed, Failed: failed},
		ThroughputRPS: known(float64(all-failed) / 60), LatencyMS: &Latency{P99: 100 * slower * math.Exp(0.1*r.NormFloat64())},
	}}
	rep.Availability = Availability{
		Availability: known(float64(all-failed) / float64(all)), Uptime: known(1 - down/60), DowntimeS: known(down),
		ResolutionMS: known(10), CI95Reason: "crash struck 4 times",
	}
	return rep
}

// played is a single run with intervals of its own, folded from simulated probes.
func played(r *rand.Rand, bursts float64) *Report {
	rec := simulateBursts(r, bursts, burstLengths["exponential"])
	rate := 8 * (1 + 0.02*r.NormFloat64()) // good answers per 10 ms; each run has its own
	load := &loadgen.Recording{Stream: "main", Model: "closed", Timeline: loadgen.Timeline{Width: 200 * time.Millisecond, Buckets: make([]loadgen.Bucket, 600)}}
	wave := 0.0 // what the machine does beside it, slowly
	for i := range load.Timeline.Buckets {
		wave = 0.9*wave + 0.05*r.NormFloat64()
		load.Timeline.Buckets[i].OK = int64(max(0, 20*rate*(1+wave)))
		load.OK += load.Timeline.Buckets[i].OK
	}
	for _, run := range rec.Runs {
		if !run.Good {
			for at := run.First; at <= run.Last; at += every {
				load.Cells = append(load.Cells, cell(at, at, int32(rate)))
				load.Failed += int64(rate)
			}
		}
	}
	load.Sent, load.End = load.OK+load.Failed, simulatedTime
	return Fold(Run{Scenario: Scenario{Name: "steady"}, Duration: simulatedTime, Loads: []*loadgen.Recording{load}, Probes: []*loadgen.ProbeRecording{rec}})
}

func calledDifferent(c *Comparison) bool {
	return slices.ContainsFunc(c.Pairs[0].Differences, func(d Difference) bool { return d.Word == Better || d.Word == Worse })
}

// Of a hundred pairs of the same thing at most five are called different in
// anything; here of 500, in each of several worlds.
func TestSamePairsAreNotDifferent(t *testing.T) {
	const pairs = 500
	for _, bursts := range []float64{0.3, 2, 10} {
		t.Run(fmt.Sprintf("repeated/%v", bursts), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2026, uint64(10*bursts)))
			wrong := 0
			for range pairs {
				var a, b []*Report
				for range 5 {
					a, b = append(a, playedRun(r, bursts, 1)), append(b, playedRun(r, bursts, 1))
				}
				if calledDifferent(Compare(NewSuite(a...), NewSuite(b...)).Comparison) {
					wrong++
				}
			}
			t.Logf("%d of %d pairs are called different", wrong, pairs)
			if wrong > pairs*5/100 {
				t.Errorf("%d of %d", wrong, pairs)
			}
		})
		t.Run(fmt.Sprintf("single/%v", bursts), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2026, uint64(10*bursts)))
			wrong := 0
			for range pairs {
				if calledDifferent(Compare(played(r, bursts), played(r, bursts)).Comparison) {
					wrong++
				}
			}
			t.Logf("%d of %d pairs are called different", wrong, pairs)
			if wrong > pairs*5/100 {
				t.Errorf("%d of %d", wrong, pairs)
			}
		})
	}
}

func wordOf(c *Comparison, metric string) Word {
	for _, d := range c.Pairs[0].Differences {
		if d.Metric == metric {
			return d.Word
		}
	}
	return ""
}

// What is really different is called so, in the right direction.
func TestDifferentPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var fast, slow []*Report
	for range 5 {
		fast, slow = append(fast, playedRun(r, 1, 1)), append(slow, playedRun(r, 300, 3))
	}
	worse := Compare(NewSuite(fast...), NewSuite(slow...)).Comparison
	better := Compare(NewSuite(slow...), NewSuite(fast...)).Comparison
	for _, m := range compared {
		if got := wordOf(worse, m.metric); got != Worse {
			t.Errorf("%s of the slower: %q", m.metric, got)
		}
		if got := wordOf(better, m.metric); got != Better {
			t.Errorf("%s of the faster: %q", m.metric, got)
		}
	}
	if !worse.HasWorse() || better.HasWorse() || (*Comparison)(nil).HasWorse() {
		t.Error("HasWorse")
	}
}

// One run each, with no repetitions in it, is too little, and the reason says so.
func TestCompareTooLittle(t *testing.T) {
	a, b := Fold(crashRun()), Fold(goldenRuns()["outage-to-end"])
	c := Compare(a, b).Comparison
	for _, d := range c.Pairs[0].Differences {
		if d.Word != TooLittle || d.Reason == "" || d.Interval != nil {
			t.Errorf("%+v", d)
		}
	}
	if d := c.Pairs[0].Differences[1]; d.Difference == nil || math.Abs(*d.Difference-10.99) > 1e-9 {
		t.Errorf("the difference itself: %+v", d)
	}
	want := []string{
		"scenario: worker-crash → single-crash", "target: cluster of 4 (handoff) → a single process", "faults: crash × 2 → crash × 1",
	}
	if got := c.Pairs[0].Different; !slices.Equal(got, want) {
		t.Errorf("differences %q, want %q", got, want)
	}
	if len(c.Notes) != 2 || !strings.HasPrefix(c.Notes[0], "nothing can be told of B against A") ||
		!strings.HasPrefix(c.Notes[1], "the speed-up of B against A is inconclusive: 2 processors for 4 workers") {
		t.Errorf("notes %q", c.Notes)
	}
}

// Nothing that is equal is called different, however exact it looks.
func TestCompareEqual(t *testing.T) {
	runs := func() *Suite {
		var list []*Report
		for range 5 {
			list = append(list, Fold(crashes(1, 1, 1, 1, 1)))
		}
		return NewSuite(list...)
	}
	for _, d := range Compare(runs(), runs()).Comparison.Pairs[0].Differences {
		if d.Word != NoEvidence {
			t.Errorf("%+v", d)
		}
	}
}

// Repetitions of one scenario are one side, with intervals between runs.
func TestCompareRepeats(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var runs []*Report
	for range 6 {
		runs = append(runs, playedRun(r, 3, 1))
	}
	c := NewSuite(runs...).Comparison
	if len(c.Sides) != 1 || len(c.Pairs) != 0 || c.Sides[0].Runs != 6 {
		t.Fatalf("%+v", c)
	}
	for _, f := range c.Sides[0].Figures {
		if f.CI95 == nil || f.CI95[0] > *f.Mean || f.CI95[1] < *f.Mean || len(f.Values) != 6 && f.Metric != "recovery" {
			t.Errorf("%+v", f)
		}
	}
	if NewSuite(runs[0]).Comparison != nil || NewSuite().Comparison != nil {
		t.Error("a single run was compared")
	}
}

// A comparison survives being written and read.
func TestCompareJSON(t *testing.T) {
	suite := Compare(Fold(crashRun()), Fold(goldenRuns()["outage-to-end"]))
	text := written(t, suite)
	doc, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if again := written(t, doc); again != text {
		t.Error("another text after reading it")
	}
	if !bytes.Contains([]byte(text), []byte(`"word": "too little to tell"`)) {
		t.Error("no words in it")
	}
}

func TestCompareText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	var fast, slow []*Report
	for range 5 {
		fast, slow = append(fast, playedRun(r, 1, 1)), append(slow, playedRun(r, 30, 3))
		slow[len(slow)-1].Target = Target{Kind: "single", Workers: 1}
		slow[len(slow)-1].Environment.CPUs = 2
	}
	tx := &text{width: 100}
	tx.comparison(Compare(NewSuite(slow...), NewSuite(fast...)).Comparison)
	golden(t, "compare.txt", tx.String())
	tx = &text{}
	tx.comparison(NewSuite(fast...).Comparison)
	golden(t, "repeats.txt", tx.String())
}

// A gate is not passed by runs that are no evidence, and each of them is named.
func TestGate(t *testing.T) {
	suiteOf := func(verdicts ...Verdict) *Suite {
		r := rand.New(rand.NewPCG(1, 4))
		var runs []*Report
		for _, v := range verdicts {
			runs = append(runs, playedRun(r, 1, 1))
			runs[len(runs)-1].Verdict = v
		}
		return NewSuite(runs...)
	}
	broken := Fold(Run{Failure: "the target never became ready"})
	for _, c := range []struct {
		before, after Document
		code          int
		note          string
	}{
		{suiteOf(Pass, Pass, Pass, Pass, Pass), suiteOf(Pass, Fail, Pass, Pass, Fail), ExitPass, ""},
		{suiteOf(Pass), suiteOf(Fail), ExitInconclusive, "nothing can be told of B against A: every difference is too little"},
		{suiteOf(Pass), broken, ExitError, "the verdict of B is error: its figures are not those of the target alone"},
		{broken, suiteOf(Pass), ExitError, "the verdict of A is error"},
		{suiteOf(Pass, Pass), suiteOf(Pass, Inconclusive), ExitInconclusive, "the verdict of 1 of the 2 runs of B is inconclusive"},
		{suiteOf(Pass, Interrupted), suiteOf(Pass, Pass), ExitInconclusive, "the verdict of 1 of the 2 runs of A is interrupted"},
		{suiteOf(Pass), suiteOf(Aborted), ExitInconclusive, "the verdict of B is aborted: its figures are those of a part of the scenario"},
		{suiteOf(Inconclusive), suiteOf(Error), ExitError, "the verdict of B is error"},
	} {
		s := Compare(c.before, c.after)
		if got := s.Gate(); got != c.code {
			t.Errorf("%s: exit code %d, want %d", c.note, got, c.code)
		}
		if notes := strings.Join(s.Comparison.Notes, "\n"); !strings.Contains(notes, c.note) {
			t.Errorf("%q is missing in %q", c.note, notes)
		}
		if c.note == "" && len(s.Comparison.Notes) > 0 {
			t.Errorf("notes %q", s.Comparison.Notes)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	var fast, slow []*Report
	for range 5 {
		fast, slow = append(fast, playedRun(r, 1, 1)), append(slow, playedRun(r, 300, 3))
	}
	if got := Compare(NewSuite(fast...), NewSuite(slow...)).Gate(); got != ExitFail {
		t.Errorf("exit code %d of something worse", got)
	}
	// That nothing can be told of one more does not hide it.
	three := Compare(NewSuite(fast...), NewSuite(slow...), NewSuite(fast[0]))
	if n := len(three.Comparison.Pairs); n != 2 || three.Gate() != ExitFail {
		t.Errorf("%d pairs, exit code %d beside what cannot be told", n, three.Gate())
	}
	slow[3].Verdict = Inconclusive
	if got := Compare(NewSuite(fast...), NewSuite(slow...)).Gate(); got != ExitInconclusive {
		t.Errorf("exit code %d of something worse that is inconclusive", got)
	}
}

// The interval of downtime is that of the time in which the prober watched, as
// the downtime itself is.
func TestCompareDowntimeUnobserved(t *testing.T) {
	run := crashes(50, 50, 50, 50, 50)
	run.Probes = []*loadgen.ProbeRecording{probesOf(".300x50.250x50.250x50.250x50.250x50.10 600")}
	r := Fold(run)
	f := newSide("A", []*Report{r}).Figures[1]
	if f.Metric != "downtime" || f.CI95 == nil {
		t.Fatalf("%+v", f)
	}
	observed := float64(r.Probes[0].Sent) * 0.01
	if ci := complement(r.Availability.UptimeCI95, observed); *f.CI95 != *ci || f.CI95[0] > *f.Mean || f.CI95[1] < *f.Mean {
		t.Errorf("interval %v of %v, want %v", *f.CI95, *f.Mean, *ci)
	}
}

// Of two suites with the same variants each is set against its like, and never
// against another one of its own suite.
func TestCompareVariants(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	suiteOf := func(name string, slower map[string]float64, variants ...string) *Suite {
		var runs []*Report
		for _, variant := range variants {
			for range 5 {
				runs = append(runs, playedRun(r, slower[variant], slower[variant]))
				runs[len(runs)-1].Scenario.Name, runs[len(runs)-1].Scenario.Variant = name, variant
			}
		}
		return NewSuite(runs...)
	}
	slower := map[string]float64{"workers=4": 1, "workers=1": 4, "workers=8": 1}
	before := suiteOf("crash", slower, "workers=4", "workers=1")
	if before.Comparison.Pairs[0].From != "A" || !before.Comparison.HasWorse() {
		t.Fatal("one worker is no worse than four")
	}
	pairs := func(c *Comparison) (list []string) {
		for _, p := range c.Pairs {
			list = append(list, p.From+p.To)
		}
		return list
	}
	for _, name := range []string{"crash", "crash-renamed"} {
		c := Compare(before, suiteOf(name, slower, "workers=1", "workers=8", "workers=4")).Comparison
		if got := pairs(c); !slices.Equal(got, []string{"BC", "AE"}) {
			t.Errorf("%s: pairs %q", name, got)
		}
		if want := "D is compared with nothing: the first document has nothing like " + name + " workers=8"; !slices.Contains(c.Notes, want) {
			t.Errorf("notes %q", c.Notes)
		}
		if c.HasWorse() {
			t.Errorf("%s: the same is worse", name)
		}
		if c.Sides[1].Document != 1 || c.Sides[2].Document != 2 {
			t.Errorf("sides %+v", c.Sides)
		}
	}
	worse := suiteOf("crash", map[string]float64{"workers=4": 1, "workers=1": 20}, "workers=4", "workers=1")
	if c := Compare(before, worse).Comparison; !c.HasWorse() || c.Pairs[1].From != "B" {
		t.Error("one worker that became worse is not called so")
	}
	// Where nothing is alike all are set against the first.
	if got := pairs(Compare(before, suiteOf("other", slower, "workers=8")).Comparison); !slices.Equal(got, []string{"AC"}) {
		t.Errorf("pairs %q", got)
	}
	// A first document with one side is what all others are set against.
	if got := pairs(Compare(suiteOf("crash", slower, "workers=4"), before).Comparison); !slices.Equal(got, []string{"AB", "AC"}) {
		t.Errorf("pairs %q", got)
	}
}

// The throughput of a run is one figure, whoever asks for it: two streams one
// after the other do not make twice as much.
func TestThroughputOfStreams(t *testing.T) {
	run := crashRun()
	first, second := stream("first", 1500), stream("second", 3000)
	second.Start, second.End = 15*time.Second, 30*time.Second
	run.Loads, run.Duration, run.Objectives = []*loadgen.Recording{first, second}, 30*time.Second, objectives("throughput > 100/s")
	r := Fold(run)
	near(t, "objective", r.SLOs[0].Value, 150)
	near(t, "compared", allThroughput(r), 150)
	if got := throughputFigure(r).Text; got != "150/s" {
		t.Errorf("the page says %s", got)
	}
}

// A throughput is in its own interval, whatever time it was counted over: reports
// of old counted it until the last timeout.
func TestThroughputIsInItsInterval(t *testing.T) {
	r := played(rand.New(rand.NewPCG(1, 2)), 0.3)
	for _, factor := range []float64{0.5, 2} {
		r.ThroughputRPS = known(*r.ThroughputRPS * factor)
		side := newSide("A", []*Report{r})
		f := side.Figures[len(side.Figures)-1]
		if f.Metric != "throughput" || f.CI95 == nil || f.CI95[0] > *f.Mean || f.CI95[1] < *f.Mean || f.wide[0] > *f.Mean || f.wide[1] < *f.Mean {
			t.Errorf("%s of %v in %v, %v", f.Metric, *f.Mean, f.CI95, f.wide)
		}
		r.ThroughputRPS = known(*r.ThroughputRPS / factor)
	}
}

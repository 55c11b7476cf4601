package reports

import (
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

func TestObjectivesAreJudged(t *testing.T) {
	run := crashRun()
	run.Loads = append(run.Loads, stream("other", 100))
	run.Loads[1].Degraded = 5
	run.Loads[1].Latency = hdrhistogram.New(1, 10_000_000, 3)
	run.Loads[1].Latency.RecordValues(100, 100)
	open := crashRun()
	open.Probes = []*loadgen.ProbeRecording{probesOf(".300x1200")}
	calm := crashRun()
	calm.Probes = []*loadgen.ProbeRecording{probesOf(".1500")}
	calm.Faults = nil
	blind := crashRun()
	blind.Probes = nil
	silent := crashRun()
	silent.Loads = []*loadgen.Recording{stream("main", 0)}

	for _, c := range []struct {
		run   string
		expr  string
		value float64 // −1: null
		ok    bool
	}{
		{"run", "availability >= 99%", 13108.0 / 13112, true},
		{"run", "other.availability >= 100%", 1, true},
		{"run", "main.error_rate < 0.1%", 4.0 / 13012, true},
		{"run", "other.degraded_rate <= 5%", 0.05, true},
		{"run", "failed == 4", 4, true},
		{"run", "main.failed < 4", 4, false},
		{"run", "crash.failed == 4", 4, true},
		{"run", "crash.retried == 0", 0, true},
		{"run", "main.throughput > 800/s", 13008.0 / 15, true},
		{"run", "throughput > 800/s", 13108.0 / 15, true},
		{"run", "other.p50 < 1ms", 0.0001, true},
		{"run", "other.max < 1ms", 0.0001, true},
		{"run", "other.p99.9 < 0.1ms", 0.0001, false},
		{"run", "uptime >= 99.9%", 1499.0 / 1500, true},
		{"run", "uptime >= 99.99%", 1499.0 / 1500, false},
		{"run", "downtime <= 10ms", 0.01, true},
		{"run", "downtime < 10ms", 0.01, false},
		{"run", "outages == 1", 1, true},
		{"run", "longest_outage <= 10ms", 0.01, true},
		{"run", "longest_stall < 1s", 0, true},
		{"run", "mttr <= 10ms", 0.01, true},
		{"run", "crash.recovery <= 51ms", 0.051, true},
		{"run", "crash.recovery < 51ms", 0.051, false},
		{"run", "nobody.availability > 1%", -1, false},
		{"open", "crash.recovery < 1h", -1, false},
		{"open", "mttr < 1h", -1, false},
		{"open", "longest_outage < 1h", 12, true},
		{"calm", "mttr < 1ms", -1, true},
		{"calm", "crash.recovery < 1ms", -1, true},
		{"calm", "outages == 0", 0, true},
		{"calm", "longest_outage == 0s", 0, true},
		{"blind", "uptime > 0%", -1, false},
		{"blind", "downtime < 1h", -1, false},
		{"blind", "mttr < 1h", -1, false},
		{"blind", "outages < 100", -1, false},
		{"blind", "crash.recovery < 1h", -1, false},
		{"silent", "availability > 0%", -1, false},
		{"silent", "p99 < 1h", -1, false},
		{"silent", "throughput >= 0/s", 0, true},
	} {
		run := map[string]Run{"run": run, "open": open, "calm": calm, "blind": blind, "silent": silent}[c.run]
		run.Objectives = objectives(c.expr)
		r := Fold(run)
		s := r.SLOs[0]
		near(t, c.run+": "+c.expr, s.Value, c.value)
		if s.OK != c.ok {
			t.Errorf("%s: %s is met: %v, want %v", c.run, c.expr, s.OK, c.ok)
		}
		if want := map[bool]Verdict{true: Pass, false: Fail}[c.ok]; r.Verdict != want {
			t.Errorf("%s: %s: verdict %s, want %s", c.run, c.expr, r.Verdict, want)
		}
		if !c.ok && (len(r.Reasons) != 1 || !strings.HasPrefix(r.Reasons[0], c.expr+" is not met: ")) {
			t.Errorf("%s: %s: reasons %q", c.run, c.expr, r.Reasons)
		}
	}
}

func TestRecoveryOfManyRepetitions(t *testing.T) {
	v := func(ms float64) *float64 { return &ms }
	for name, c := range map[string]struct {
		given []*float64
		want  float64
	}{
		"largest":       {[]*float64{v(1), v(5), v(3)}, 5},
		"unknown first": {[]*float64{nil, v(5)}, -1},
		"unknown last":  {[]*float64{v(5), nil}, -1},
		"unknown amid":  {[]*float64{v(5), nil, v(9)}, -1},
		"none":          {nil, -1},
	} {
		var faults []Fault
		for _, g := range c.given {
			faults = append(faults, Fault{RecoveryS: g})
		}
		near(t, name, faultMetric("recovery", faults), c.want)
	}
}

// saturatedStream is an open one whose generator was late.
// In a few words an inconclusive verdict says whose limits it was.
func TestVerdictTextOfInconclusive(t *testing.T) {
	for want, change := range map[string]func(*Run){
		"the generator's own limits are in the figures": func(r *Run) { r.Loads[0].Failures[loadgen.CauseGenerator] = 1 },
		"the prober saw too little to judge by":         func(r *Run) { r.Blind = "it was killed" },
	} {
		run := crashRun()
		change(&run)
		if r := Fold(run); r.Verdict != Inconclusive || verdictText(r) != want {
			t.Errorf("%s: %q, want %q", r.Verdict, verdictText(r), want)
		}
	}
	for name, change := range map[string]func(*Run){
		"a probe":  func(r *Run) { r.Probes[0].Failures[loadgen.CauseGenerator] = 1 },
		"a stream": func(r *Run) { r.Loads = []*loadgen.Recording{saturatedStream()} },
	} {
		run := crashRun()
		change(&run)
		if !limited(Fold(run)) {
			t.Errorf("%s: the generator's own limits are not seen", name)
		}
	}
}

func saturatedStream() *loadgen.Recording {
	rec := stream("burst", 100)
	rec.Model, rec.Rate, rec.Concurrency = "open", 500, 1000
	rec.Generator.Intended, rec.Generator.Missed = 1000, 38
	rec.Generator.Lag = hdrhistogram.New(1, 10_000_000, 3)
	rec.Generator.Lag.RecordValues(14_000, 100)
	return rec
}

func TestSaturation(t *testing.T) {
	lag := func(us int64) *hdrhistogram.Histogram {
		h := hdrhistogram.New(1, 10_000_000, 5)
		h.RecordValues(us, 1000)
		return h
	}
	for name, c := range map[string]struct {
		model            string
		intended, missed int64
		lag              *hdrhistogram.Histogram
		want             bool
	}{
		"on time":             {"open", 1000, 0, lag(500), false},
		"10 ms late":          {"open", 1000, 0, lag(10_000), false},
		"more":                {"open", 1000, 0, lag(10_001), true},
		"1 % missed":          {"open", 1000, 10, nil, false},
		"more than 1 %":       {"open", 1000, 11, nil, true},
		"nothing was due":     {"open", 0, 0, nil, false},
		"closed has no plan":  {"closed", 1000, 900, lag(99_000), false},
		"an empty histogram":  {"open", 10, 0, hdrhistogram.New(1, 100, 1), false},
		"everything too late": {"open", 10, 10, nil, true},
	} {
		rec := &loadgen.Recording{Model: c.model}
		rec.Generator.Intended, rec.Generator.Missed, rec.Generator.Lag = c.intended, c.missed, c.lag
		if got := saturated(rec); got != c.want {
			t.Errorf("%s: saturated %v, want %v", name, got, c.want)
		}
	}
}

func TestVerdictPrecedence(t *testing.T) {
	interrupted := func(r *Run) { r.Interrupted = "SIGINT" }
	failure := func(r *Run) { r.Failure = "the target never became ready" }
	aborted := func(r *Run) { r.Aborted = "availability < 50%" }
	missed := func(r *Run) { r.Objectives = objectives("availability >= 100%") }
	slow := func(r *Run) { r.Loads = append(r.Loads, saturatedStream()) }
	limits := func(r *Run) { r.Loads[0].Failures[loadgen.CauseGenerator] = 1 }
	probeLimits := func(r *Run) { r.Probes[0].Failures[loadgen.CauseGenerator] = 1 }
	for name, c := range map[string]struct {
		with    []func(*Run)
		want    Verdict
		reasons int
	}{
		"nothing":                     {nil, Pass, 0},
		"missed":                      {[]func(*Run){missed}, Fail, 1},
		"aborted":                     {[]func(*Run){aborted}, Aborted, 1},
		"aborted and missed":          {[]func(*Run){aborted, missed}, Aborted, 2},
		"saturated":                   {[]func(*Run){slow}, Inconclusive, 1},
		"generator's failures":        {[]func(*Run){limits}, Inconclusive, 1},
		"prober's failures":           {[]func(*Run){probeLimits}, Inconclusive, 1},
		"saturated and missed":        {[]func(*Run){slow, missed}, Inconclusive, 2},
		"saturated and aborted":       {[]func(*Run){slow, aborted}, Inconclusive, 2},
		"error, saturated and missed": {[]func(*Run){failure, slow, missed}, Error, 2},
		"interrupted and missed":      {[]func(*Run){interrupted, missed}, Interrupted, 2},
		"interrupted and saturated":   {[]func(*Run){slow, interrupted}, Interrupted, 2},
	} {
		run := crashRun()
		for _, change := range c.with {
			change(&run)
		}
		r := Fold(run)
		if r.Verdict != c.want || len(r.Reasons) != c.reasons {
			t.Errorf("%s: %s because of %q; want %s", name, r.Verdict, r.Reasons, c.want)
		}
	}
}

func TestReasonsSayWhatToDo(t *testing.T) {
	run := crashRun()
	run.Loads = append(run.Loads, saturatedStream())
	run.Loads[0].Failures[loadgen.CauseGenerator] = 2
	run.Loads[0].Examples[loadgen.CauseGenerator] = "socket: too many open files"
	run.Interrupted = "SIGTERM"
	run.Duration = 1234 * time.Millisecond
	all := strings.Join(Fold(run).Reasons, "\n")
	for _, want := range []string{
		"SIGTERM ended the run after 1.23 s",
		"stream burst: it sent 96.20 % of the 1,000 requests that were due while a slot was free and was up to 14 ms late (p99); lower the rate",
		"2 requests of stream main failed by the generator's own limits (socket: too many open files), not by the target; raise them (ulimit -n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in:\n%s", want, all)
		}
	}
}

func TestWarnings(t *testing.T) {
	run := crashRun()
	run.Loads[0].Generator.CPUShare = 0.95
	run.Warnings = []string{"from the runner"}
	optional, reverted, skipped := kill("opt", 1, 8*time.Second), pause("p", time.Second, 2*time.Second), kill("gone", 1, 9*time.Second)
	slow, reload := kill("slow", 1, 9*time.Second), kill("reload", 1, 9*time.Second)
	slow.Took, reload.Took, reload.Kind = 360*time.Millisecond, 2*time.Second, "reload"
	optional.State, optional.Error = chaos.Failed, "no such process"
	reverted.Error = "SIGCONT: no such process"
	skipped.State = chaos.Skipped
	run.Faults = append(run.Faults, optional, reverted, skipped, slow, reload)
	run.Objectives = objectives("gone.recovery < 1s", "gone.failed == 0", "crash.failed < 100", "main.failed < 100")
	r := Fold(run)
	if r.Verdict != Pass {
		t.Errorf("verdict %s because of %q", r.Verdict, r.Reasons)
	}
	all := strings.Join(r.Warnings, "\n")
	for _, want := range []string{"from the runner", "stream main used 95.00 % of the processor time", "fault opt#1 could not be injected: no such process",
		"fault p#1 was injected, but: SIGCONT", "fault gone was never injected", "fault slow#1 struck at some moment of the 360 ms from 9.00 s"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in:\n%s", want, all)
		}
	}
	if len(r.Warnings) != 6 {
		t.Errorf("warnings:\n%s", all)
	}
}

func TestExitCodes(t *testing.T) {
	for v, want := range map[Verdict]int{Pass: 0, Fail: 1, Aborted: 1, Error: 3, Inconclusive: 4, Interrupted: 130, "?": 3} {
		if got := ExitCode(v); got != want {
			t.Errorf("ExitCode(%s) = %d, want %d", v, got, want)
		}
	}
	for _, c := range []struct {
		want     int
		verdicts []Verdict
	}{
		{0, nil}, {0, []Verdict{Pass, Pass}}, {1, []Verdict{Pass, Fail}}, {4, []Verdict{Fail, Inconclusive, Aborted}},
		{3, []Verdict{Inconclusive, Error, Fail}}, {130, []Verdict{Error, Interrupted}},
	} {
		if got := ExitCode(c.verdicts...); got != c.want {
			t.Errorf("ExitCode(%v) = %d, want %d", c.verdicts, got, c.want)
		}
	}
	if got := WorstExitCode(0, 3, 2, 4, 1); got != 2 {
		t.Errorf("of 0, 3, 2, 4 and 1: %d", got)
	}
	if got := WorstExitCode(3, SignalExitCode("SIGTERM"), ExitCode(Interrupted)); got != 143 {
		t.Errorf("with SIGTERM: %d", got)
	}
	if SignalExitCode("SIGHUP") != 129 || SignalExitCode("SIGINT") != 130 {
		t.Error("SIGHUP is 129 and SIGINT 130")
	}
}

func TestCheckBaseline(t *testing.T) {
	slos := objectives("availability >= 99.9%", "availability > 90%", "other.availability >= 50%", "downtime < 1s", "crash.failed == 0")
	for name, c := range map[string]struct {
		warmup []Warmup
		says   string
	}{
		"none":            {nil, ""},
		"no requests":     {[]Warmup{{Stream: "main"}}, ""},
		"good":            {[]Warmup{{Stream: "main", OK: 999, Failed: 1}}, ""},
		"the least asked": {[]Warmup{{Stream: "main", OK: 1, Failed: 1, Example: "refused"}}, "1 of 2 requests failed in the warm-up (refused), 50.00 % are good, but the objective is availability > 90%"},
		"a stream's":      {[]Warmup{{Stream: "main", OK: 10000}, {Stream: "other", OK: 1, Failed: 2}}, "2 of 3 requests failed in the warm-up, 33.33 % are good, but the objective is other.availability >= 50%"},
	} {
		err := CheckBaseline(slos, c.warmup)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// What nobody saw is no uptime: a prober that ended early, or sent too little,
// makes no run pass, and no fault recover.
func TestBlindnessIsInconclusive(t *testing.T) {
	pass := func() Run {
		run := Run{Duration: 5 * time.Second, Probes: []*loadgen.ProbeRecording{probesOf(".500")}}
		o, err := ParseObjective("downtime < 1s")
		if err != nil {
			t.Fatal(err)
		}
		run.Objectives = []Objective{o}
		return run
	}
	if r := Fold(pass()); r.Verdict != Pass {
		t.Fatalf("%s because of %q", r.Verdict, r.Reasons)
	}
	ended := pass()
	ended.Blind = "the prober ended early: killed by SIGKILL"
	gap := pass()
	gap.Probes = []*loadgen.ProbeRecording{probesOf(".200 30.270")}
	for name, run := range map[string]Run{"ended": ended, "gap": gap} {
		if r := Fold(run); r.Verdict != Inconclusive || len(r.Reasons) != 1 {
			t.Errorf("%s: %s because of %q", name, r.Verdict, r.Reasons)
		}
	}
	ended.Probes = []*loadgen.ProbeRecording{probesOf(".200")}
	ended.Faults = []chaos.Event{kill("crash", 1, 3*time.Second)}
	if r := Fold(ended); r.Faults[0].RecoveryS != nil {
		t.Errorf("a fault that nobody watched recovered after %v s", *r.Faults[0].RecoveryS)
	}
}

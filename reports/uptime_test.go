package reports

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

// span is what a test says of an outage, in probes: 10 ms each.
type span struct {
	start, end int
	open       bool
	failed     int64
	share      float64
}

func TestFindOutages(t *testing.T) {
	for name, c := range map[string]struct {
		probes string
		want   []span
	}{
		"none":                        {".100", nil},
		"no probe":                    {"", nil},
		"one probe":                   {".10x.10", []span{{10, 11, false, 1, 1}}},
		"the first probe":             {"x.10", []span{{0, 1, false, 1, 1}}},
		"the last probe":              {".10x", []span{{10, 11, true, 1, 1}}},
		"all of them":                 {"x100", []span{{0, 100, true, 100, 1}}},
		"total":                       {".10x20.10", []span{{10, 30, false, 20, 1}}},
		"990 ms apart":                {"x.98x.10", []span{{0, 100, false, 2, 1.0 / 99}}},
		"a second apart":              {"x.99x.10", []span{{0, 1, false, 1, 1}, {100, 101, false, 1, 1}}},
		"one of four":                 {".10x.3x.3x.3x.10", []span{{10, 23, false, 4, 0.25}}},
		"one of four, to the end":     {".10x.3x.3x.3x.3", []span{{10, 23, false, 4, 0.25}}},
		"three in a chain":            {"x.90x.90x.10", []span{{0, 183, false, 3, 2.0 / 182}}},
		"gap in an outage":            {".10x5 200x5.10", []span{{10, 220, false, 10, 1}}},
		"gap with a good probe in it": {".10x5 100.1 100x5.10", []span{{10, 115, false, 5, 1}, {216, 221, false, 5, 1}}},
		"gap after the last failed":   {".10x 50.10", []span{{10, 61, false, 1, 1}}},
		"gap, then the end":           {".10x5 50x", []span{{10, 66, true, 6, 1}}},
	} {
		rec := probesOf(c.probes)
		var got []span
		for _, o := range findOutages(rec) {
			got = append(got, span{int(o.start / every), int(o.end / every), o.open, o.failed, o.share()})
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// Probes rarer than the time within which outages merge: consecutive failures
// are one outage all the same.
func TestFindOutagesOfRareProbes(t *testing.T) {
	rec := &loadgen.ProbeRecording{Connections: "new", Every: 5 * time.Second, Sent: 6, Failed: 3, Runs: []loadgen.ProbeRun{
		{First: 0, Last: 5 * time.Second, N: 2, Good: true},
		{First: 10 * time.Second, Last: 15 * time.Second, N: 2},
		{First: 20 * time.Second, Last: 20 * time.Second, N: 1, Good: true},
		{First: 25 * time.Second, Last: 25 * time.Second, N: 1},
	}}
	got := findOutages(rec)
	if len(got) != 2 || got[0].end != 20*time.Second || got[0].failed != 2 || !got[1].open || got[1].end != 30*time.Second {
		t.Errorf("got %+v", got)
	}
}

func TestAvailability(t *testing.T) {
	for name, c := range map[string]struct {
		probes                               string
		uptime, downtime, mttr, mtbf, length float64 // −1: null
	}{
		"all good":         {".100", 1, 0, -1, -1, -1},
		"one":              {".99x", 0.99, 0.01, -1, 0.99, 0.01},
		"two outages":      {".100x10.200x30.60", 0.9, 0.4, 0.2, 1.8, 0.1},
		"to the end":       {".50x50", 0.5, 0.5, -1, 0.5, 0.5},
		"all failed":       {"x100", 0, 1, -1, 0, 1},
		"gap":              {".49 100x.50", 0.99, 0.01, 0.01, 0.99, 0.01},
		"gap in an outage": {".40x5 200x5.50", 0.9, 0.1, 0.1, 0.9, 0.1},
		"gap after it":     {".40x10 200.50", 0.9, 0.1, 0.1, 0.9, 0.1},
	} {
		run := Run{Probes: []*loadgen.ProbeRecording{probesOf(c.probes)}}
		a := Fold(run).Availability
		near(t, name+": uptime", a.Uptime, c.uptime)
		near(t, name+": downtime_s", a.DowntimeS, c.downtime)
		near(t, name+": mttr_s", a.MTTRS, c.mttr)
		near(t, name+": mtbf_s", a.MTBFS, c.mtbf)
		if len(a.Outages) > 0 {
			near(t, name+": length_s", &a.Outages[0].LengthS, c.length)
		} else if c.length >= 0 {
			t.Errorf("%s: no outage", name)
		}
		near(t, name+": resolution_ms", a.ResolutionMS, 10)
	}
}

func TestNines(t *testing.T) {
	for probes, want := range map[string]float64{".100": -1, ".999x": 3, ".99x": 2, "x10": 0, ".9999x": 4} {
		a := Fold(Run{Probes: []*loadgen.ProbeRecording{probesOf(probes)}}).Availability
		near(t, "nines of "+probes, a.Nines, want)
		if a.Nines != nil && math.Signbit(*a.Nines) {
			t.Errorf("nines of %s: negative zero", probes)
		}
	}
}

func TestUnobserved(t *testing.T) {
	for probes, want := range map[string]float64{".100": 0, ". .": 0, ". 2.": 0.02, ".10 100.10 50.": 1.5} {
		r := Fold(Run{Probes: []*loadgen.ProbeRecording{probesOf(probes)}})
		near(t, "unobserved_s of "+probes, &r.Probes[0].UnobservedS, want)
		if (want > 0) != (len(r.Warnings) == 1) {
			t.Errorf("%s: warnings %q", probes, r.Warnings)
		}
	}
}

func TestNoProber(t *testing.T) {
	run := crashRun()
	run.Probes = nil
	r := Fold(run)
	a := r.Availability
	for name, v := range map[string]*float64{"uptime": a.Uptime, "downtime_s": a.DowntimeS, "longest_stall_s": a.LongestStallS,
		"resolution_ms": a.ResolutionMS, "mttr_s": a.MTTRS, "mtbf_s": a.MTBFS, "nines": a.Nines, "spent_s": r.Budget.SpentS,
		"spent_ratio": r.Budget.SpentRatio, "recovery_s": r.Faults[0].RecoveryS} {
		if v != nil {
			t.Errorf("%s is %v without a prober", name, *v)
		}
	}
	if a.Outages == nil || len(a.Outages) > 0 {
		t.Errorf("outages %v without a prober", a.Outages)
	}
	if a.Availability == nil {
		t.Error("availability needs no prober")
	}
}

func TestUptimeIsThatOfNewConnections(t *testing.T) {
	fresh, kept := probesOf(".90x10"), probesOf(".100")
	kept.Connections = "reused"
	r := Fold(Run{Probes: []*loadgen.ProbeRecording{kept, fresh}})
	near(t, "uptime", r.Availability.Uptime, 0.9)
	near(t, "of reused ones", r.Probes[0].Uptime, 1)
	alone := Fold(Run{Probes: []*loadgen.ProbeRecording{kept}})
	near(t, "of reused ones alone", alone.Availability.Uptime, 1)
}

func TestGeneratorsFailuresAreNotTheTargets(t *testing.T) {
	rec := stream("main", 99)
	rec.Failed, rec.Failures = 5, [loadgen.NumCauses]int64{loadgen.CauseGenerator: 5}
	freeze := crashRun()
	freeze.Loads, freeze.Faults = []*loadgen.Recording{rec}, []chaos.Event{pause("freeze", 0, time.Second)}
	freeze.Objectives = objectives("availability >= 100%", "error_rate == 0", "failed == 0", "main.failed == 0", "freeze.failed == 0")
	r := Fold(freeze)
	near(t, "availability", r.Availability.Availability, 1)
	near(t, "of the stream", r.Load[0].Availability, 1)
	for _, o := range r.SLOs {
		if !o.OK {
			t.Errorf("%s: %v", o.Expr, *o.Value)
		}
	}
	if f := r.Faults[0]; f.FailedRequests != 0 || f.During.Failed != 0 || r.UnexplainedRequests != 0 {
		t.Errorf("%d charged to the fault, %d failed during it, %d unexplained", f.FailedRequests, f.During.Failed, r.UnexplainedRequests)
	}
	if r.Verdict != Inconclusive {
		t.Errorf("verdict %s", r.Verdict)
	}

	// Of the probes likewise: they are in no figure but their own.
	run := crashRun()
	run.Faults = run.Faults[:1]
	probes := probesOf(".320 30.1150")
	probes.Failures[loadgen.CauseGenerator] = 30
	run.Probes = []*loadgen.ProbeRecording{probes}
	r = Fold(run)
	near(t, "uptime", r.Availability.Uptime, 1)
	near(t, "downtime_s", r.Availability.DowntimeS, 0)
	near(t, "down_s of the fault", r.Faults[0].DownS, 0)
	near(t, "spent_s", r.Budget.SpentS, 0)
	if p := r.Probes[0]; p.Failed != 0 || p.Failures["generator"] != 30 || p.UnobservedS != 0.3 {
		t.Errorf("%+v", p)
	}
	if r.Verdict != Inconclusive || len(r.Availability.Outages) > 0 {
		t.Errorf("verdict %s, outages %+v", r.Verdict, r.Availability.Outages)
	}
}

// near fails unless v is want to a billionth; want < 0 means null.
func near(t *testing.T, what string, v *float64, want float64) {
	t.Helper()
	switch {
	case want < 0 && v != nil:
		t.Errorf("%s is %v, want null", what, *v)
	case want >= 0 && v == nil:
		t.Errorf("%s is null, want %v", what, want)
	case want >= 0 && math.Abs(*v-want) > 1e-9:
		t.Errorf("%s is %v, want %v", what, *v, want)
	}
}

package reports

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func projected(t *testing.T, run Run, perDay float64) *Projection {
	t.Helper()
	run.Rates = map[string]float64{"crash": perDay / 86400}
	return Fold(run).Projection
}

// Everything from the measured repetitions to the sentence, by hand: mean loss
// 44 ms, twice a day, 730 × 0.044 s = 32.12 s of the 31,536 s that 99.9 % allows.
func TestProjectionByHand(t *testing.T) {
	p := projected(t, crashes(3, 5, 4, 6, 4), 2)
	f := p.Faults[0]
	if !slices.Equal(f.LostS, []float64{0.03, 0.05, 0.04, 0.06, 0.04}) || len(f.RecoveryS) != 5 {
		t.Errorf("%+v", f)
	}
	near(t, "per_year", &f.PerYear, 730)
	near(t, "mean_lost_s", f.MeanLostS, 0.044)
	near(t, "fault's downtime_s", f.DowntimeS, 32.12)
	near(t, "downtime_s", p.DowntimeS, 32.12)
	near(t, "availability", p.Availability, 1-32.12/31536000)
	near(t, "allowed_s", p.AllowedS, 31536)
	near(t, "spent_ratio", p.SpentRatio, 32.12/31536)
	near(t, "bearable_per_year", f.BearablePerYear, 31536/0.044)
	if ci := p.DowntimeCI95; ci == nil || ci[0] < 18 || ci[0] > 25 || ci[1] < 38 || ci[1] > 60 {
		t.Errorf("interval %v (%s)", ci, p.Reason)
	}
	text := textOf(t, Fold(projectedRun()), TextOptions{})
	for _, want := range []string{
		" PROJECTION     99.9999 %",
		"crash: 730 a year × 44 ms = 32.12 s; 99.9 % bears 716,727 a year",
		"that is 0.10 % of the 8 h 46 min that 99.9 % allows a year",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// The same seed simulates the same years, and another one nearly the same.
func TestProjectionSeeded(t *testing.T) {
	run := crashes(30, 50, 40, 60, 40)
	a, b := projected(t, run, 0.1), projected(t, run, 0.1)
	if *a.DowntimeCI95 != *b.DowntimeCI95 {
		t.Errorf("%v and %v", a.DowntimeCI95, b.DowntimeCI95)
	}
	run.Scenario.Seed++
	c := projected(t, run, 0.1)
	for i := range a.DowntimeCI95 {
		if r := c.DowntimeCI95[i] / a.DowntimeCI95[i]; *a.DowntimeCI95 == *c.DowntimeCI95 || r < 0.9 || r > 1.1 {
			t.Errorf("%v with another seed, %v before", c.DowntimeCI95, a.DowntimeCI95)
		}
	}
}

// Sums of many faults, which are drawn as a whole, agree with sums of single
// draws where the two meet.
func TestProjectionOfManyFaults(t *testing.T) {
	run := crashes(30, 50, 40, 60, 40)
	below, above := projected(t, run, 999.0/365), projected(t, run, 1001.0/365)
	for i := range below.DowntimeCI95 {
		if r := above.DowntimeCI95[i] / below.DowntimeCI95[i]; math.Abs(r-1) > 0.05 {
			t.Errorf("%v below, %v above", below.DowntimeCI95, above.DowntimeCI95)
		}
	}
}

// A fault that cost nothing five times may still cost something.
func TestProjectionOfNothingLost(t *testing.T) {
	p := projected(t, crashes(0, 0, 0, 0, 0), 1)
	if *p.Availability != 1 || p.Faults[0].BearablePerYear != nil || p.Bearable != nil {
		t.Errorf("%+v", p)
	}
	if ci := p.AvailabilityCI95; ci == nil || ci[1] != 1 || ci[0] > 1-200.0/31536000 {
		t.Errorf("interval %v", ci)
	}
}

func TestProjectionUnknown(t *testing.T) {
	unrecovered := crashes(1, 1, 1, 1, 1)
	unrecovered.Duration = 15500 * time.Millisecond
	unrecovered.Probes[0].Runs = unrecovered.Probes[0].Runs[:10]
	blind := crashes(1, 1, 1, 1, 1)
	blind.Probes = nil
	never := crashes()
	never.Rates = map[string]float64{"crash": 1}
	for want, run := range map[string]Run{
		"crash#5 had not recovered when the run ended: what it costs is unknown": unrecovered,
		"no probe was sent: what a fault costs is unknown":                       blind,
		"crash was never injected: what it costs is unknown":                     never,
	} {
		p := projected(t, run, 2)
		if p.Reason != want || p.Availability != nil || p.AvailabilityCI95 != nil {
			t.Errorf("got %q, %v; want %q", p.Reason, p.Availability, want)
		}
	}
	few := projected(t, crashes(3, 5), 2)
	if few.Availability == nil || few.AvailabilityCI95 != nil || few.Reason != "crash struck twice: an interval needs 5 repetitions of each fault" {
		t.Errorf("%+v", few)
	}
	if Fold(crashes(3, 5)).Projection != nil {
		t.Error("a projection that nobody asked for")
	}
}

// A run that is no evidence of its scenario has no interval of a year either.
func TestProjectionOfUnreliableRuns(t *testing.T) {
	for want, change := range map[string]func(*Run){
		"the run did not last as long as its scenario":  func(run *Run) { run.Interrupted = "SIGINT" },
		"the generator's own limits are in the figures": func(run *Run) { run.Loads[0] = saturatedStream() },
		"the prober did not see enough of the run":      func(run *Run) { run.Blind = "it was killed" },
	} {
		run := projectedRun()
		change(&run)
		r := Fold(run)
		if p := r.Projection; p.Reason != want || p.DowntimeCI95 != nil || p.AvailabilityCI95 != nil || p.Availability == nil {
			t.Errorf("%q, interval %v, want %q", p.Reason, p.DowntimeCI95, want)
		}
		if a := r.Availability; a.CI95Reason != want || a.UptimeCI95 != nil {
			t.Errorf("uptime: %q, interval %v, want %q", a.CI95Reason, a.UptimeCI95, want)
		}
		if text := textOf(t, r, TextOptions{}); !strings.Contains(text, "no interval: "+want) {
			t.Errorf("%q is not said in\n%s", want, text)
		}
	}
}

// How much more seldom all of them would have to come is told from all that they
// cost, also where that is more than there is in a year.
func TestProjectionBeyondAYear(t *testing.T) {
	run := crashes(250, 250, 250, 250, 250)
	p := projected(t, run, 2*86400/2.5) // 2.5 s each, every 1.25 s
	near(t, "downtime_s", p.DowntimeS, p.YearS)
	near(t, "availability", p.Availability, 0)
	near(t, "spent_ratio", p.SpentRatio, 1000)
	near(t, "bearable", p.Bearable, 0.0005)
	near(t, "bearable_per_year", p.Faults[0].BearablePerYear, p.Faults[0].PerYear**p.Bearable)
}

package reports

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

// charges folds cells of one failed request each, and returns who pays for each
// of them: the fault's id or "".
func charges(run Run, cells ...loadgen.Cell) []string {
	var got []string
	for _, c := range cells {
		run.Loads = []*loadgen.Recording{stream("main", 0, c)}
		r := Fold(run)
		who := ""
		for _, f := range r.Faults {
			if f.FailedRequests == 1 {
				who += f.ID
			}
		}
		if (r.UnexplainedRequests == 1) != (who == "") {
			who = "miscounted"
		}
		got = append(got, who)
	}
	return got
}

func TestChargeOneFault(t *testing.T) {
	// Struck at 1.005 s, recovered at 1.203 s: in the midst of cells.
	run := Run{
		Duration: 5 * time.Second,
		Probes:   []*loadgen.ProbeRecording{probesOf(".500")},
		Faults:   []chaos.Event{kill("a", 1, 1005*msec)},
		Ready:    []ReadyCount{{0, 4}, {1006 * msec, 3}, {1203 * msec, 4}},
	}
	for name, c := range map[string]struct {
		start, finish time.Duration
		want          string
	}{
		"long before":                       {500 * msec, 500 * msec, ""},
		"finished in the cell before":       {500 * msec, 999 * msec, ""},
		"finished in the fault's cell":      {500 * msec, 1000 * msec, "a#1"},
		"under way":                         {990 * msec, 1010 * msec, "a#1"},
		"within":                            {1100 * msec, 1100 * msec, "a#1"},
		"began in the recovery's cell":      {1200 * msec, 1300 * msec, "a#1"},
		"began in the cell after":           {1210 * msec, 1300 * msec, ""},
		"began before, finished long after": {1000 * msec, 4000 * msec, "a#1"},
	} {
		if got := charges(run, cell(c.start, c.finish, 1)); got[0] != c.want {
			t.Errorf("%s: charged to %q, want %q", name, got[0], c.want)
		}
	}
}

// A fault at a cell's very edge, with nothing to recover.
func TestChargeAtCellEdges(t *testing.T) {
	run := Run{
		Duration: 5 * time.Second,
		Probes:   []*loadgen.ProbeRecording{probesOf(".500")},
		Faults:   []chaos.Event{kill("a", 1, 1000*msec)},
	}
	got := charges(run,
		cell(980*msec, 990*msec, 1),   // over when the fault struck
		cell(990*msec, 1000*msec, 1),  // under way
		cell(1000*msec, 1000*msec, 1), // begun when all was well again
	)
	if want := []string{"", "a#1", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("charged to %q, want %q", got, want)
	}
}

func TestChargeOverlappingFaults(t *testing.T) {
	// The pause lasts from 1 s to 3 s; the kill inside it is over at 2.05 s.
	run := Run{
		Duration: 5 * time.Second,
		Probes:   []*loadgen.ProbeRecording{probesOf(".500")},
		Faults:   []chaos.Event{pause("p", time.Second, 3*time.Second), kill("k", 1, 2*time.Second)},
		Ready:    []ReadyCount{{0, 4}, {2001 * msec, 3}, {2050 * msec, 4}},
	}
	got := charges(run,
		cell(500*msec, 500*msec, 1),   // before both
		cell(900*msec, 1500*msec, 1),  // in the pause
		cell(900*msec, 2500*msec, 1),  // in both: the latest
		cell(2040*msec, 2040*msec, 1), // the kill's
		cell(2050*msec, 2060*msec, 1), // after the kill's recovery: the pause's again
		cell(2990*msec, 4000*msec, 1), // the pause's
		cell(3000*msec, 4000*msec, 1), // nobody's
	)
	if want := []string{"", "p#1", "k#1", "k#1", "p#1", "p#1", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("charged to %q, want %q", got, want)
	}
}

func TestChargeUnrecovered(t *testing.T) {
	run := Run{
		Duration: 5 * time.Second,
		Probes:   []*loadgen.ProbeRecording{probesOf(".100x400")},
		Faults:   []chaos.Event{kill("a", 1, time.Second), kill("b", 1, 3*time.Second)},
	}
	skipped := kill("c", 1, 2*time.Second)
	skipped.State = chaos.Skipped
	run.Faults = append(run.Faults, skipped)
	got := charges(run, cell(2500*msec, 2500*msec, 1), cell(2500*msec, 3000*msec, 1), cell(4900*msec, 9000*msec, 1))
	if want := []string{"a#1", "b#1", "b#1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("charged to %q, want %q", got, want)
	}
}

func TestChargeCountsFailedAndRetriedOverStreams(t *testing.T) {
	run := crashRun()
	a, b := cell(3*time.Second, 3*time.Second, 2), cell(3010*msec, 3010*msec, 0)
	a.Retried, b.Retried = 3, 4
	run.Loads = []*loadgen.Recording{stream("x", 10, a, cell(9*time.Second, 9*time.Second, 5)), stream("y", 10, b, cell(6*time.Second, 6*time.Second, 7))}
	r := Fold(run)
	if f := r.Faults[0]; f.FailedRequests != 2 || f.RetriedRequests != 7 {
		t.Errorf("crash#1: %d failed, %d retried", f.FailedRequests, f.RetriedRequests)
	}
	if f := r.Faults[1]; f.FailedRequests != 7 || f.RetriedRequests != 0 {
		t.Errorf("crash#2: %d failed, %d retried", f.FailedRequests, f.RetriedRequests)
	}
	if r.UnexplainedRequests != 5 {
		t.Errorf("%d unexplained", r.UnexplainedRequests)
	}
}

// A coarse cell is read as wide as it is.
func TestChargeCoarseCells(t *testing.T) {
	run := Run{
		Duration: 10 * time.Second,
		Probes:   []*loadgen.ProbeRecording{probesOf(".1000")},
		Faults:   []chaos.Event{kill("a", 1, time.Second), kill("b", 1, 5050*msec)},
	}
	coarse := func(start, finish time.Duration) loadgen.Cell {
		c := cell(start, finish, 1)
		c.Grain = 10
		return c
	}
	got := charges(run, coarse(5*time.Second, 5*time.Second), coarse(4900*msec, 4900*msec), coarse(900*msec, 5*time.Second))
	if want := []string{"b#1", "", "b#1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("charged to %q, want %q", got, want)
	}
	run.Loads = []*loadgen.Recording{stream("main", 10, coarse(5*time.Second, 5*time.Second))}
	if p := Fold(run).Faults[1]; p.Before.Failed != 0 || p.After.Failed != 1 {
		t.Errorf("before %+v, after %+v", p.Before, p.After)
	}
}

// randomRun is a run of random faults, probes, workers and failures.
func randomRun(rng *rand.Rand) Run {
	moment := func() time.Duration { return time.Duration(rng.Int64N(int64(10 * time.Second))) }
	run := Run{Duration: 10 * time.Second, Ready: []ReadyCount{{0, 4}}}
	for i := range rng.IntN(12) {
		e := kill("k", i+1, moment())
		switch rng.IntN(4) {
		case 0:
			e = pause("p", e.Start, e.Start+moment()/4)
		case 1:
			e.Kind, e.Took = []string{"exec", "exit", "reload"}[rng.IntN(3)], moment()/4
		}
		e.State = []chaos.State{chaos.Done, chaos.Done, chaos.Done, chaos.Skipped, chaos.Failed}[rng.IntN(5)]
		run.Faults = append(run.Faults, e)
	}
	for at := time.Duration(0); at < run.Duration; at += moment() / 8 {
		run.Ready = append(run.Ready, ReadyCount{at, rng.IntN(5)})
	}
	if rng.IntN(8) > 0 {
		pattern := ""
		for len(pattern) < 1000 {
			pattern += []string{".40", "x3", "x20", ".", " ", "   "}[rng.IntN(6)]
		}
		run.Probes = append(run.Probes, probesOf(pattern))
	}
	for range rng.IntN(4) {
		var cells []loadgen.Cell
		for range rng.IntN(40) {
			start := moment()
			c := cell(start, start+moment()/4, rng.Int32N(50))
			c.Retried = rng.Int32N(50)
			if rng.IntN(4) == 0 {
				c.Grain = 10
				c.Start, c.Finish = c.Start-c.Start%10, c.Finish-c.Finish%10
			}
			cells = append(cells, c)
		}
		rec := stream("s", rng.Int64N(1000), cells...)
		rec.Latency, rec.Service = nil, nil // as large as the rest together
		run.Loads = append(run.Loads, rec)
	}
	return run
}

// Whatever happened, each failed request is charged once or unexplained, and
// the charge is the one that a plain reading of the rule gives.
func TestEveryFailureIsChargedOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		run := randomRun(rng)
		r := Fold(run)
		var total, charged, plain int64
		for _, l := range r.Load {
			total += l.Requests.Failed
		}
		for _, f := range r.Faults {
			charged += f.FailedRequests
			if f.State != string(chaos.Done) && f.FailedRequests+f.RetriedRequests > 0 {
				t.Fatalf("run %d: %s was %s and is charged", i, f.ID, f.State)
			}
		}
		if charged+r.UnexplainedRequests != total {
			t.Fatalf("run %d: %d charged and %d unexplained of %d failed", i, charged, r.UnexplainedRequests, total)
		}
		ws := faultWindows(&run)
		for _, rec := range run.Loads {
			for _, c := range rec.Cells {
				for j := len(ws) - 1; j >= 0; j-- {
					began, finished := time.Duration(c.Start)*10*msec, time.Duration(c.Finish+max(c.Grain, 1))*10*msec
					if ws[j].event.Start < finished && max(ws[j].over, ws[j].event.Start+ws[j].event.Took) > began {
						plain += int64(c.Failed)
						break
					}
				}
			}
		}
		if charged != plain {
			t.Fatalf("run %d: %d charged, %d by a plain reading", i, charged, plain)
		}
	}
}

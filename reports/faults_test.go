package reports

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

const msec = time.Millisecond

// recoveries folds a run of these faults and returns recovery_s of each in
// milliseconds, −1 for null.
func recoveries(probes string, ready []ReadyCount, faults ...chaos.Event) []float64 {
	run := Run{Duration: 10 * time.Second, Faults: faults, Ready: ready}
	if probes != "" {
		run.Probes = []*loadgen.ProbeRecording{probesOf(probes)}
	}
	var got []float64
	for _, f := range Fold(run).Faults {
		if f.RecoveryS == nil {
			got = append(got, -1)
		} else {
			got = append(got, *f.RecoveryS*1e3)
		}
	}
	return got
}

func TestRecovery(t *testing.T) {
	second := time.Second
	exec := chaos.Event{ID: "e#1", Name: "e", Kind: "exec", Start: second, End: second, State: chaos.Done}
	skipped, failed := kill("c", 2, 2*second), kill("c", 3, 3*second)
	skipped.State, failed.State = chaos.Skipped, chaos.Failed
	unreverted, replaced := pause("p", second, 0), pause("p", second, 2*second)
	replaced.Ended = true
	victim, killer := replaced, kill("c", 1, 1999*msec)
	victim.Victims, killer.Victims = []chaos.Victim{{Worker: 2, PID: 4711}}, []chaos.Victim{{Worker: 2, PID: 4711}}
	crashed := []ReadyCount{{0, 4}, {1501 * msec, 3}, {1560 * msec, 4}, {1999 * msec, 3}, {2048 * msec, 4}}
	missed := []ReadyCount{{0, 4}, {1700 * msec, 3}, {2048 * msec, 4}}
	late := []ReadyCount{{0, 4}, {2001 * msec, 3}, {2048 * msec, 4}}
	back := []ReadyCount{{-second, 4}, {1001 * msec, 3}, {1048 * msec, 4}}

	for name, c := range map[string]struct {
		probes string
		ready  []ReadyCount
		faults []chaos.Event
		want   []float64
	}{
		"nothing failed":                    {".500", nil, []chaos.Event{exec}, []float64{0}},
		"nothing failed, no worker missing": {".500", []ReadyCount{{0, 4}}, []chaos.Event{kill("c", 1, second)}, []float64{0}},
		"probes":                            {".100x20.300", nil, []chaos.Event{exec}, []float64{200}},
		"the last failed one counts":        {".100x.49x.300", nil, []chaos.Event{exec}, []float64{510}},
		"to the end":                        {".100x400", nil, []chaos.Event{exec}, []float64{-1}},
		"no prober":                         {"", back, []chaos.Event{kill("c", 1, second)}, []float64{-1}},
		"workers":                           {".500", back, []chaos.Event{kill("c", 1, second)}, []float64{48}},
		"workers, of an exit":               {".500", back, []chaos.Event{{ID: "x#1", Kind: "exit", Start: second, End: second, State: chaos.Done}}, []float64{48}},
		"workers, of no killer":             {".500", back, []chaos.Event{exec}, []float64{0}},
		"the later: probes":                 {".100x20.300", back, []chaos.Event{kill("c", 1, second)}, []float64{200}},
		"the later: workers":                {".100x2.300", back, []chaos.Event{kill("c", 1, second)}, []float64{48}},
		"workers never back":                {".500", back[:2], []chaos.Event{kill("c", 1, second)}, []float64{-1}},
		"more workers than before":          {".500", []ReadyCount{{0, 4}, {second + msec, 3}, {2 * second, 5}}, []chaos.Event{kill("c", 1, second)}, []float64{1000}},
		"the number before is unknown":      {".500", []ReadyCount{{second + msec, 3}}, []chaos.Event{kill("c", 1, second)}, []float64{0}},
		"never fell, the next one did": {".500", []ReadyCount{{0, 4}, {3*second + msec, 3}, {3*second + 50*msec, 4}},
			[]chaos.Event{kill("c", 1, second), kill("c", 2, 3*second)}, []float64{0, 50}},
		"two at once": {".500", []ReadyCount{{0, 4}, {second + 2*msec, 3}, {second + 3*msec, 2}, {second + 60*msec, 3}, {second + 70*msec, 4}},
			[]chaos.Event{kill("a", 1, second), kill("b", 1, second+msec)}, []float64{70, 69}},
		"the second before the first is back": {".500", []ReadyCount{{0, 4}, {second + msec, 3}, {second + 501*msec, 2}, {second + 600*msec, 3}, {second + 700*msec, 4}},
			[]chaos.Event{kill("a", 1, second), kill("b", 1, second+500*msec)}, []float64{700, 100}},
		"still down when the next strikes": {".100x200.100", nil, []chaos.Event{kill("a", 1, second), kill("b", 1, 2*second)}, []float64{2000, 1000}},
		"failures in the next one's window": {".250x10.100", nil, []chaos.Event{kill("a", 1, second), kill("b", 1, 2*second)},
			[]float64{0, 600}},
		"lasting: back before its end":          {".100x10.300", nil, []chaos.Event{pause("p", second, 2*second)}, []float64{0}},
		"lasting: at its end":                   {".100x100.300", nil, []chaos.Event{pause("p", second, 2*second)}, []float64{0}},
		"lasting: after its end":                {".100x150.300", nil, []chaos.Event{pause("p", second, 2*second)}, []float64{500}},
		"lasting: nothing failed":               {".500", nil, []chaos.Event{pause("p", second, 2*second)}, []float64{0}},
		"lasting: never reverted":               {".500", nil, []chaos.Event{unreverted}, []float64{-1}},
		"lasting: who hung was replaced":        {".500", late, []chaos.Event{replaced}, []float64{1048}},
		"lasting: replaced, but failing longer": {".100x150.300", late, []chaos.Event{replaced}, []float64{1500}},
		"lasting: who hung was not replaced":    {".500", late[:2], []chaos.Event{replaced}, []float64{-1}},
		"lasting: ended, of an unknown number":  {".100x50.300", nil, []chaos.Event{replaced}, []float64{1000}},
		"lasting: another one died meanwhile":   {".500", crashed, []chaos.Event{replaced, kill("c", 1, 1500*msec)}, []float64{1048, 60}},
		"lasting: liveness missed it before":    {".500", missed, []chaos.Event{replaced}, []float64{1048}},
		"lasting: another fault killed it":      {".500", late, []chaos.Event{victim, killer}, []float64{48, 49}},
		"skipped and failed are no windows": {".100x.99x50.300", nil, []chaos.Event{kill("c", 1, second), skipped, failed},
			[]float64{1500, -1, -1}},
		"not in order": {".100x200.100", nil, []chaos.Event{kill("b", 1, 2*second), kill("a", 1, second)}, []float64{1000, 2000}},
	} {
		if got := recoveries(c.probes, c.ready, c.faults...); !closeTo(got, c.want) {
			t.Errorf("%s: got %v ms, want %v", name, got, c.want)
		}
	}
}

// The probe that a dying worker held was sent before the fault. It is the
// fault's all the same, by when it failed.
func TestProbeUnderWayAtTheFault(t *testing.T) {
	rec := probesOf(".99x.400")
	rec.Runs[1].Finish = 1002 * msec
	r := Fold(Run{Duration: 5 * time.Second, Probes: []*loadgen.ProbeRecording{rec}, Faults: []chaos.Event{kill("crash", 1, 1001*msec)}})
	if got := r.Availability.Outages; len(got) != 1 || !reflect.DeepEqual(got[0].Faults, []string{"crash#1"}) {
		t.Errorf("outages %+v", got)
	}
	near(t, "recovery_s", r.Faults[0].RecoveryS, 0) // the next probe was sent at 1 s, before the kill
	r = Fold(Run{Duration: 5 * time.Second, Probes: []*loadgen.ProbeRecording{rec}, Faults: []chaos.Event{kill("crash", 1, 995*msec)}})
	near(t, "recovery_s", r.Faults[0].RecoveryS, 0.005)
	rec.Runs[1].Finish = 1000 * msec
	r = Fold(Run{Duration: 5 * time.Second, Probes: []*loadgen.ProbeRecording{rec}, Faults: []chaos.Event{kill("crash", 1, 1001*msec)}})
	if got := r.Availability.Outages; len(got) != 1 || len(got[0].Faults) != 0 {
		t.Errorf("a probe that failed before the fault: outages %+v", got)
	}
}

// A probe that the second fault broke was sent in the first one's window, and
// says nothing of the first one's recovery; a timeout does, by its send.
func TestProbeBrokenByTheNextFault(t *testing.T) {
	rec := probesOf(".199x.300")
	faults := []chaos.Event{kill("a", 1, time.Second), kill("b", 1, 1995*msec)}
	for _, c := range []struct{ broke, a, b float64 }{{1996, 0, 0.005}, {1990, 1, 0.005}} {
		rec.Runs[1].Broke = time.Duration(c.broke) * msec
		rec.Runs[1].Finish = 1996 * msec
		r := Fold(Run{Duration: 5 * time.Second, Probes: []*loadgen.ProbeRecording{rec}, Faults: faults})
		near(t, "recovery_s of a", r.Faults[0].RecoveryS, c.a)
		near(t, "recovery_s of b", r.Faults[1].RecoveryS, c.b)
	}
}

func TestOutagesFaults(t *testing.T) {
	second := time.Second
	for name, c := range map[string]struct {
		probes string
		ready  []ReadyCount
		faults []chaos.Event
		want   [][]string
	}{
		"before any":      {".50x.449", nil, []chaos.Event{kill("a", 1, second)}, [][]string{{}}},
		"after its start": {".120x10.370", nil, []chaos.Event{kill("a", 1, second)}, [][]string{{"a#1"}}},
		"through two":     {".100x200.200", nil, []chaos.Event{kill("a", 1, second), kill("b", 1, 2*second)}, [][]string{{"a#1", "b#1"}}},
		"first recovered": {".100x10.190x10.190", nil, []chaos.Event{kill("a", 1, second), kill("b", 1, 3*second)}, [][]string{{"a#1"}, {"b#1"}}},
		"a lasting one's": {".100x.2x.2x.2x.290", nil, []chaos.Event{pause("p", second, 2*second)}, [][]string{{"p#1"}}},
		"workers missing": {".300x10.190", []ReadyCount{{0, 4}, {second + msec, 3}}, []chaos.Event{kill("a", 1, second), kill("b", 1, 3*second)}, [][]string{{"a#1", "b#1"}}},
	} {
		r := Fold(Run{Duration: 5 * second, Probes: []*loadgen.ProbeRecording{probesOf(c.probes)}, Ready: c.ready, Faults: c.faults})
		got := [][]string{}
		for _, o := range r.Availability.Outages {
			got = append(got, o.Faults)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func closeTo(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if d := a[i] - b[i]; d > 1e-6 || d < -1e-6 {
			return false
		}
	}
	return true
}

// slowReload is a reload from 2 s to 6 s, after whose first second all is well
// again: its recovery counts from its start, though it has an end.
func slowReload() Run {
	reload := chaos.Event{
		ID: "reload#1", Name: "reload", Kind: "reload", N: 1, At: 2 * time.Second,
		Start: 2 * time.Second, Took: 4 * time.Second, End: 6 * time.Second, State: chaos.Done, Detail: "reload",
	}
	run := crashRun()
	run.Faults, run.Ready = []chaos.Event{reload}, nil
	run.Probes = []*loadgen.ProbeRecording{probesOf(".200x101.1199")}
	run.Loads = []*loadgen.Recording{stream("main", 13000, cell(2100*msec, 2500*msec, 9))}
	return run
}

// A run of next to no length has a scale all the same.
func TestTicksOfNoLength(t *testing.T) {
	for _, length := range []float64{0, 5e-324, 1e-8, 15, 1e9} {
		if got := ticks(runLength(&Report{DurationS: length})); len(got) < 2 || len(got) > 12 {
			t.Errorf("%d ticks of %v s", len(got), length)
		}
	}
}

// A reload that no probe was lost to, or a command, breaks what it breaks until it
// is through: its recovery of 0 s says nothing of that.
func TestWhatTakesTimeActsUntilItIsThrough(t *testing.T) {
	for _, kind := range []string{"reload", "exec"} {
		run := slowReload()
		f := &run.Faults[0]
		if f.Kind = kind; kind == "exec" {
			f.End = f.Start
		}
		run.Probes = []*loadgen.ProbeRecording{probesOf(".1500")}
		run.Loads = []*loadgen.Recording{stream("main", 13000, cell(3990*msec, 4000*msec, 5), cell(6*time.Second, 6*time.Second, 2))}
		r := Fold(run)
		near(t, "recovery_s", r.Faults[0].RecoveryS, 0)
		if got := r.Faults[0]; got.FailedRequests != 5 || got.During.Failed != 5 || r.UnexplainedRequests != 2 {
			t.Errorf("%s: %d lost, %+v, %d unexplained", kind, got.FailedRequests, got.During, r.UnexplainedRequests)
		}
		if got := stateOf(r, "graceful shutdown"); kind == "reload" && got != NotShown {
			t.Errorf("graceful shutdown: %s", got)
		}
	}
	// It has a hand in an outage too, though that is in the next one's window.
	run := slowReload()
	run.Faults = append(run.Faults, kill("crash", 1, 3*time.Second))
	run.Probes = []*loadgen.ProbeRecording{probesOf(".400x2.1098")}
	if got := Fold(run).Availability.Outages; len(got) != 1 || !reflect.DeepEqual(got[0].Faults, []string{"reload#1", "crash#1"}) {
		t.Errorf("outages %+v", got)
	}
}

func TestReloadThatTakesTime(t *testing.T) {
	r := Fold(slowReload())
	f := &r.Faults[0]
	near(t, "recovery_s", f.RecoveryS, 1.01)
	if f.Lasting {
		t.Error("a reload is not undone at its end")
	}
	for _, format := range Formats() {
		var b strings.Builder
		if err := format.Write(&b, r); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "after its end") {
			t.Errorf("%s says that it was back after its end", format.Name)
		}
	}
	if got := backText(f, r); got != "back in 1.01 s" {
		t.Errorf("it is said to be %q", got)
	}
	back := faultSpans(f, r, 15)[0]
	if want := newSpan("back", back.Title, 2, 3.01, 15, 12); back != want {
		t.Errorf("its lane has %+v, want %+v", back, want)
	}
	freeze := Fault{StartS: 2, EndS: 6, Lasting: true, State: "done", RecoveryS: known(1.01)}
	if got := backText(&freeze, r); got != "back 1.01 s after its end" {
		t.Errorf("a freeze is said to be %q", got)
	}
	if got := faultSpans(&freeze, r, 15)[0]; got.Width != coordinate(100*5.01/15) {
		t.Errorf("its lane is %s wide", got.Width)
	}
	hang := freeze
	hang.VictimsEnded, hang.Detail = true, "freeze worker 2 (pid 4712)"
	if got := faultDetail(&hang) + ": " + backText(&hang, r); got != "freeze worker 2 (pid 4712) for 4 s, which then ended: back in 1.01 s" {
		t.Errorf("of a freeze whose victim was replaced it is said: %q", got)
	}
	if got := faultSpans(&hang, r, 15)[0]; got.Width != coordinate(100*1.01/15) {
		t.Errorf("its lane is %s wide", got.Width)
	}
}

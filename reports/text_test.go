package reports

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range gotLines {
		if i == len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s differs from line %d on (go test ./reports -update writes it anew): %q", path, i+1, gotLines[i])
		}
	}
	t.Errorf("%s goes on after %d lines", path, len(gotLines))
}

func textOf(t *testing.T, doc Document, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, doc, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// goldenRuns are the runs whose texts stand in testdata.
func goldenRuns() map[string]Run {
	runs := map[string]Run{"pass": crashRun()}

	single := crashRun()
	single.Scenario.Name, single.Target = "single-crash", Target{Kind: "single", URL: "http://127.0.0.1:8080/", Workers: 1}
	single.Faults = []chaos.Event{kill("crash", 1, 4*time.Second)}
	single.Probes = []*loadgen.ProbeRecording{probesOf(".400x1100")}
	single.Probes[0].LongestStall = 11 * time.Second
	single.Ready = []ReadyCount{{0, 1}, {4001 * msec, 0}}
	single.Loads = []*loadgen.Recording{stream("main", 3466, cell(3990*msec, 4000*msec, 1), cell(4010*msec, 4010*msec, 5499))}
	single.Objectives = objectives("availability >= 99%", "downtime < 1s", "mttr < 1s", "crash.recovery < 2s")
	runs["outage-to-end"] = single

	slow := crashRun()
	slow.Loads = []*loadgen.Recording{saturatedStream()}
	runs["inconclusive"] = slow

	blind := crashRun()
	blind.Scenario.Name, blind.Probes = "steady", nil
	blind.Faults, blind.Ready = nil, nil
	blind.Loads[0].Degraded = 12
	blind.Objectives = objectives("availability >= 99%", "downtime < 1s")
	runs["no-prober"] = blind

	interrupted := crashRun()
	interrupted.Interrupted, interrupted.Duration = "SIGINT", 3020*time.Millisecond
	interrupted.Faults = interrupted.Faults[:1]
	interrupted.Ready = interrupted.Ready[:2]
	interrupted.Probes = []*loadgen.ProbeRecording{probesOf(".300x2")}
	interrupted.Loads = []*loadgen.Recording{stream("main", 2600, cell(2990*msec, 3000*msec, 1))}
	interrupted.Loads[0].End = 3 * time.Second
	runs["interrupted"] = interrupted

	runs["error"] = Run{
		Scenario: Scenario{Name: "broken", Seed: 7}, Target: Target{Kind: "command", URL: "http://me:secret@127.0.0.1:3000/"},
		Failure: "the target was not ready within 10 s: GET http://127.0.0.1:3000/ready: connection refused",
	}

	streams := crashRun()
	bursts := stream("bursts", 4998, cell(6*time.Second, 6*time.Second, 2))
	bursts.Model, bursts.Rate, bursts.Retried = "open", 333.3, 3
	bursts.Cells[0].Retried = 3
	streams.Loads = append(streams.Loads, bursts, stream("admin", 0))
	streams.Objectives = append(streams.Objectives, objectives("bursts.p99 < 500ms", "bursts.availability >= 99.96%")...)
	runs["streams"] = streams

	runs["dependencies"] = dependentRun()

	aborted := crashRun()
	freeze := pause("freeze", 8*time.Second, 9*time.Second)
	skipped, failed := kill("crash", 3, 10*time.Second), kill("crash", 4, 11*time.Second)
	skipped.State, skipped.Error, skipped.Detail = chaos.Skipped, "its victim, worker 3, had been ended by crash#2", ""
	failed.State, failed.Error, failed.Detail = chaos.Failed, "signal worker 4 (pid 4714): operation not permitted", ""
	aborted.Faults = append(aborted.Faults, freeze, skipped, failed)
	aborted.Probes = []*loadgen.ProbeRecording{probesOf(".300x.150x.349" + strings.Repeat("x.3", 25) + "x20.379 20.200")}
	reused := probesOf(".1500")
	reused.Connections = "reused"
	aborted.Probes = append(aborted.Probes, reused)
	aborted.Loads[0].Cells = append(aborted.Loads[0].Cells, cell(8*time.Second, 9*time.Second, 20), cell(12*time.Second, 12*time.Second, 6))
	aborted.Loads[0].Cells[2].Retried, aborted.Loads[0].Retried = 2, 2
	aborted.Loads[0].Failed += 26
	aborted.Loads[0].Failures[loadgen.CauseTimeout] = 26
	for i := range 12 {
		aborted.Events = append(aborted.Events, Event{AtS: 0.5 + float64(i), Source: "cluster", What: fmt.Sprintf("worker %d (pid %d) ended by itself: exit status 1", i%4+1, 5000+i)})
	}
	aborted.Events = append(aborted.Events,
		Event{AtS: 1, Source: "cluster", What: "worker 1 (pid 4711) is slow"}, // not yet a fault's
		Event{AtS: 3.001, Source: "cluster", What: "worker 1 (pid 4711) was killed by SIGKILL"},
		Event{AtS: 3.05, Source: "cluster", What: "worker 1 (pid 5001) is ready after 24 ms"},
		Event{AtS: 14, Source: "cluster", What: "worker 2 (pid 5020) is not restarted: it failed 16 times"})
	aborted.Aborted = "availability < 50%"
	aborted.Warnings = []string{"the prober ran at the default priority: SCHED_RR was not permitted"}
	runs["skipped"] = aborted
	return runs
}

func TestTextGolden(t *testing.T) {
	for name, run := range goldenRuns() {
		golden(t, name+".txt", textOf(t, Fold(run), TextOptions{}))
	}
	runs := goldenRuns()
	golden(t, "suite.txt", textOf(t, NewSuite(Fold(runs["pass"]), Fold(runs["outage-to-end"]), Fold(runs["error"])), TextOptions{}))
	golden(t, "narrow.txt", textOf(t, Fold(runs["skipped"]), TextOptions{Width: 80}))
	golden(t, "narrow-streams.txt", textOf(t, Fold(runs["streams"]), TextOptions{Width: 80}))
	var b bytes.Buffer
	if err := BudgetText(&b, 0.9995, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "budget.txt", b.String())
}

// The JSON is a contract too.
func TestJSONGolden(t *testing.T) {
	run := crashRun()
	run.Loads[0].Timeline = loadgen.Timeline{Width: 5 * time.Second, Buckets: []loadgen.Bucket{{OK: 5000, Failed: 1, P50: 51 * msec, P99: 161 * msec}}}
	golden(t, "report.json", written(t, Fold(run)))
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Colours change nothing but colours.
func TestTextColor(t *testing.T) {
	for name, run := range goldenRuns() {
		for _, width := range []int{0, 80} {
			r := Fold(run)
			coloured := textOf(t, r, TextOptions{Color: true, Width: width})
			if plain := textOf(t, r, TextOptions{Width: width}); ansi.ReplaceAllString(coloured, "") != plain {
				t.Errorf("%s: coloured:\n%s\nplain:\n%s", name, coloured, plain)
			}
			if !ansi.MatchString(coloured) {
				t.Errorf("%s: no colour", name)
			}
		}
	}
}

// Tables keep their columns and fault lines their figures; all else is wrapped.
func TestTextWidth(t *testing.T) {
	for name, run := range goldenRuns() {
		if name == "streams" {
			continue
		}
		for line := range strings.Lines(textOf(t, Fold(run), TextOptions{Width: 80})) {
			if w := width(strings.TrimRight(line, "\n")); w > 80 {
				t.Errorf("%s: %d columns: %s", name, w, line)
			}
		}
	}
}

// No ratio below 1 is printed as 100 %, and a missed objective never looks met.
func TestTextNeverRoundsUp(t *testing.T) {
	for _, failed := range []int32{1, 2, 14} {
		run := Run{
			Scenario: Scenario{Name: "long"}, Loads: []*loadgen.Recording{stream("main", 100_000_000, cell(0, 0, failed))},
			Objectives: objectives("availability >= 100%", "availability >= 99.99999%", "p50 < 51.006ms"),
		}
		run.Loads[0].Latency = nil
		text := textOf(t, Fold(run), TextOptions{})
		if regexp.MustCompile(`100 %`).MatchString(text) {
			t.Errorf("%d failed:\n%s", failed, text)
		}
	}
	missed := SLO{Expr: "availability >= 99.99%", Unit: "ratio", Value: known(0.999886)}
	if got := missed.text(); got != "99.9886 %" {
		t.Errorf("a missed ratio: %s", got)
	}
	late := SLO{Expr: "main.p99 < 1s", Unit: "duration", Value: known(1.0001)}
	if got := late.text(); got != "1.0001s" {
		t.Errorf("a missed duration: %s", got)
	}
	for _, c := range []struct{ met, want string }{
		{"downtime < 1s", "999.6ms"}, {"downtime > 999ms", "1 s"}, {"downtime <= 1s", "1 s"},
	} {
		s := SLO{Expr: c.met, Unit: "duration", Value: known(0.9996), OK: true}
		if got := s.text(); got != c.want {
			t.Errorf("%s is met by %q, want %q", c.met, got, c.want)
		}
	}
}

// Nobody reads exponents.
func TestFactor(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.667: "0.667", 1: "1", 12.34: "12.3", 100: "100", 999.4: "999", 999.6: "1,000", 4310.4: "4,310", 1234567: "1,234,567",
		0.00001: "0.00001", 0.000123456: "0.000123",
	} {
		if got := factor(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	if got := signed("ratio", -0.0000001); got != "−0.00001 points" {
		t.Errorf("a difference of %q", got)
	}
	r := &Budget{Objective: 0.999, WindowS: 86400, AllowedS: 1, SpentS: known(1234), SpentRatio: known(1234)}
	tx := &text{}
	tx.budget(r)
	for name, got := range map[string]string{"text": tx.String(), "page": newHTMLBudget(r).Spent} {
		if !strings.Contains(got, ", 1,234 times as much") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 requests", 1: "1 request", 2: "2 requests", 13012: "13,012 requests"} {
		if got := countOf(n, "request"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A writer that fails is heard of.
func TestTextReportsErrors(t *testing.T) {
	full := fmt.Errorf("no space")
	if err := Text(failing{full}, Fold(Run{}), TextOptions{}); err != full {
		t.Error(err)
	}
	if err := Write(failing{full}, Fold(Run{})); err != full {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

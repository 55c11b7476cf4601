package reports

import (
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
)

func stateOf(r *Report, name string) PracticeState {
	for _, p := range r.Practices {
		if p.Name == name {
			return p.State
		}
	}
	return ""
}

// A run shows what its faults called for, and nothing else.
func TestPractices(t *testing.T) {
	clusterRun := crashRun()
	single := goldenRuns()["outage-to-end"]
	steady := crashRun()
	steady.Faults = nil
	reload := crashRun()
	reload.Faults = []chaos.Event{{ID: "reload#1", Name: "reload", Kind: "reload", N: 1, Start: 9 * time.Second, End: 9 * time.Second, State: chaos.Done}}
	lossy := crashRun()
	lossy.Faults = []chaos.Event{{ID: "reload#1", Name: "reload", Kind: "reload", N: 1, Start: 2995 * time.Millisecond, End: 2995 * time.Millisecond, State: chaos.Done}}
	frozen := crashRun()
	frozen.Faults = []chaos.Event{pause("freeze", 8*time.Second, 9*time.Second)}
	short := crashRun() // some wait for its end, and none times out
	short.Faults = []chaos.Event{pause("freeze", 8*time.Second, 8500*time.Millisecond)}
	frozenMaster, killedMaster := crashRun(), crashRun()
	frozenMaster.Faults = []chaos.Event{pause("freeze", 8*time.Second, 9*time.Second)}
	killedMaster.Faults = []chaos.Event{kill("crash", 1, 8*time.Second)}
	frozenMaster.Faults[0].Victims[0].Worker, killedMaster.Faults[0].Victims[0].Worker = 0, 0
	unloaded := crashRun()
	unloaded.Faults = frozen.Faults
	unloaded.Loads = nil
	limited := crashRun()
	limited.Loads[0].Statuses[429] = 7
	limited.Loads[0].Degraded = 2
	for _, c := range []struct {
		run  Run
		name string
		want PracticeState
	}{
		{clusterRun, "redundancy", Shown}, // the one probe that failed was the lost worker's
		{clusterRun, "automatic restart", Shown},
		{clusterRun, "health checks", NotTried},
		{clusterRun, "graceful shutdown", NotTried},
		{crashes(0, 0, 0), "redundancy", Shown},
		{single, "redundancy", NotShown},
		{single, "automatic restart", NotShown},
		{steady, "redundancy", NotTried},
		{steady, "automatic restart", NotTried},
		{reload, "graceful shutdown", Shown},
		{lossy, "graceful shutdown", NotShown},
		{frozen, "health checks", Shown},
		{short, "health checks", NotShown},
		{frozenMaster, "health checks", NotTried},
		{frozenMaster, "redundancy", NotTried},
		{killedMaster, "redundancy", NotTried},
		{killedMaster, "automatic restart", Shown},
		{unloaded, "health checks", NotTried},
		{limited, "rate limiting", Shown},
		{limited, "circuit breaker", NotTried},
		{clusterRun, "rate limiting", NotTried},
		{clusterRun, "monitoring", NotTried},
	} {
		if got := stateOf(Fold(c.run), c.name); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.name, c.run.Scenario.Name, got, c.want)
		}
	}
	if text := textOf(t, Fold(clusterRun), TextOptions{Practices: true}); !strings.Contains(text, " ✔ automatic restart          back after 2 crashes, the slowest in 51 ms\n") {
		t.Error(text)
	}
	pairs := crashRun()
	for i := range pairs.Faults {
		pairs.Faults[i].Victims = append(pairs.Faults[i].Victims, chaos.Victim{Worker: 4, PID: 4720 + i})
	}
	if text := textOf(t, Fold(pairs), TextOptions{Practices: true}); !strings.Contains(text, " ✔ redundancy                 4 workers lost, and the rest answered all the while\n") {
		t.Error(text)
	}
	if text := textOf(t, Fold(clusterRun), TextOptions{}); strings.Contains(text, "redundancy") {
		t.Error("the checklist, though nobody asked for it")
	}
}

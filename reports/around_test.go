package reports

import (
	"slices"
	"strings"
	"testing"
)

func TestFaultThatStruckNothing(t *testing.T) {
	run := dependentRun()
	run.Proxies[0].Connections = 0
	want := "fault redis-cut#1 struck nothing: no connection ever passed proxy cache"
	if got := Fold(run).Warnings; !slices.Contains(got, want) {
		t.Errorf("warnings %q", got)
	}
	if got := Fold(dependentRun()).Warnings; slices.Contains(got, want) {
		t.Errorf("warnings %q", got)
	}
}

func TestPracticesOfDependencies(t *testing.T) {
	of := func(change func(*Run)) map[string]string {
		run := dependentRun()
		change(&run)
		texts := map[string]string{}
		for _, p := range Fold(run).Practices {
			texts[p.Name] = string(p.State) + ": " + p.Figure
		}
		return texts
	}
	without := func(what string) func(*Run) {
		return func(run *Run) {
			run.Events = slices.DeleteFunc(run.Events, func(e Event) bool { return strings.Contains(e.What, what) })
		}
	}
	const breaker, failover = "circuit breaker", "replication and failover"
	for _, c := range []struct {
		practice, want string
		change         func(*Run)
	}{
		{breaker, string(Shown) + ": opened 4 times and closed again; 1,200 answers degraded instead of failed", func(*Run) {}},
		{breaker, string(NotShown) + ": it opened 4 times and never closed", without("closes")},
		{breaker, string(Shown) + ": 1,200 answers degraded instead of failed", without("breaker")},
		{failover, string(Shown) + ": db: node-2 is the primary, 1.3 s after node-1 was gone", func(*Run) {}},
		{failover, string(NotShown) + ": no replica of db became primary", without("is the primary")},
		{failover, string(NotTried) + ": no fault on a dependency called for them", func(run *Run) { run.Dependencies[1].Replicas = 0 }},
		// A server that was killed is no worker.
		{"automatic restart", string(NotTried) + ": no process was ended", func(*Run) {}},
	} {
		if got := of(c.change)[c.practice]; got != c.want {
			t.Errorf("%s: %q, want %q", c.practice, got, c.want)
		}
	}
}

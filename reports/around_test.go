package reports

import (
	"fmt"
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
		{breaker, string(NotShown) + ": opened 4 times, and 4 of 4 breakers stayed open; 1,200 answers degraded instead of failed", without("closes")},
		{breaker, string(NotShown) + ": opened 4 times, and 1 of 4 breakers stayed open; 1,200 answers degraded instead of failed", without("worker 3: breaker closes")},
		{breaker, string(Shown) + ": opened 4 times and closed again; 1,200 answers degraded instead of failed", func(run *Run) {
			without("worker 3: breaker closes")(run)
			run.Events = append(run.Events, Event{AtS: 6, Source: "cluster", What: "worker 3 (pid 5001) is ready after 24 ms"})
		}},
		{breaker, string(NotTried) + ": no breaker was heard of; 1,200 answers degraded instead of failed", without("breaker")},
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

// A group of events never shows one event's figure as that of all.
func TestEventGroupFigures(t *testing.T) {
	lost := func(worker, lost, of int) Event {
		return Event{AtS: 9, Source: "db", What: fmt.Sprintf("%d of the %d writes that worker %d acknowledged are lost", lost, of, worker)}
	}
	told := func(what string) Event { return Event{AtS: 1, Source: "cache", What: what} }
	for _, c := range []struct {
		events []Event
		want   []string
	}{
		{[]Event{lost(1, 12, 500), lost(2, 3, 510), lost(3, 7, 505)}, []string{"3 × db: 3 to 12 of the 500 to 510 writes that worker acknowledged are lost (first at 9.00 s)"}},
		{[]Event{lost(1, 3, 500), lost(2, 3, 510)}, []string{"2 × db: 3 of the 500 to 510 writes that worker acknowledged are lost (first at 9.00 s)"}},
		{[]Event{lost(1, 3, 500)}, []string{"db: 3 of the 500 writes that worker 1 acknowledged are lost (at 9.00 s)"}},
		{[]Event{told("worker 1: breaker opens after 5 failures in a row: dial tcp 127.0.0.1:6379: refused"), told("worker 2: breaker opens after 5 failures in a row: dial tcp 127.0.0.1:6379: refused")},
			[]string{"2 × cache: worker: breaker opens after 5 failures in a row: dial tcp 127.0.0.1:6379: refused (first at 1.00 s)"}},
		{[]Event{told("worker 1: read tcp 127.0.0.1:4001: reset"), told("worker 1: read tcp 127.0.0.1:4002: reset")},
			[]string{"2 × cache: worker: read tcp 127.0.0.1: reset (first at 1.00 s)"}},
		{[]Event{told("node-1 (pid 1) ended"), told("node-2 (pid 2) ended"), told("node-1 (pid 3) ended")},
			[]string{"2 × cache: node-1 ended (first at 1.00 s)", "cache: node-2 (pid 2) ended (at 1.00 s)"}},
		{[]Event{told("1 2 3,000 a#4 # 5"), told("9 2 20 a#4 # 7.5")}, []string{"2 × cache: 1 to 9 2 20 to 3,000 a#4 # 5 to 7.5 (first at 1.00 s)"}},
	} {
		var got []string
		for _, g := range groupEvents(c.events) {
			got = append(got, g.text())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

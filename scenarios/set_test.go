package scenarios

import (
	"strings"
	"testing"
	"time"
)

const settable = `name: settable
target:
  cluster: {workers: 4}
load:
  - {name: main, closed: {concurrency: 3}, duration: 5s, requests: [{path: /a}, {path: /b}]}
  - &side {name: side, closed: {concurrency: 3}, duration: 5s}
  - {<<: *side, name: third}
chaos:
  - {name: crash, kill: {}, at: 1s}
slo: [availability >= 99%, downtime < 1s]
`

func TestSet(t *testing.T) {
	for _, c := range []struct {
		sets []string
		got  func(s *Scenario) any
		want any
	}{
		{[]string{"load.main.closed.concurrency=100"}, func(s *Scenario) any { return s.Load[0].Closed.Concurrency }, 100},
		{[]string{"load.0.closed.concurrency=100"}, func(s *Scenario) any { return s.Load[0].Closed.Concurrency }, 100},
		{[]string{"load.main.requests.1.path=/c"}, func(s *Scenario) any { return s.Load[0].Requests[1].Path }, "/c"},
		{[]string{"load.main.requests=[{path: /x}]"}, func(s *Scenario) any { return s.Load[0].Requests[0].Path }, "/x"},
		{[]string{"chaos.crash.at=2s"}, func(s *Scenario) any { return s.Chaos[0].At.Std() }, 2 * time.Second},
		{[]string{"chaos.crash.kill.pick=oldest"}, func(s *Scenario) any { return s.Chaos[0].Kill.Pick }, "oldest"},
		{[]string{"chaos="}, func(s *Scenario) any { return len(s.Chaos) }, 0},
		{[]string{"chaos.crash="}, func(s *Scenario) any { return len(s.Chaos) }, 0},
		{[]string{"slo.1=downtime < 2s"}, func(s *Scenario) any { return s.SLO[1].Value }, 2.0},
		{[]string{"slo=[failed == 0]"}, func(s *Scenario) any { return s.SLO[0].Expr }, "failed == 0"},
		{[]string{"target.cluster.app.work=5ms"}, func(s *Scenario) any { return s.Target.Cluster.App.Work.Std() }, 5 * time.Millisecond},
		{[]string{"target.cluster=", "target.single={restart: on-failure}"}, func(s *Scenario) any { return s.Target.Kind() + s.Target.Single.Restart }, "singleon-failure"},
		{[]string{"target={url: http://localhost:8080/a=b}", "chaos="}, func(s *Scenario) any { return s.Target.URL }, "http://localhost:8080/a=b"},
		{[]string{"warmup=2s", "warmup=3s"}, func(s *Scenario) any { return s.Warmup.Std() }, 3 * time.Second},
		{[]string{"budget.objective=99.9%"}, func(s *Scenario) any { return s.Budget.Objective.String() }, "99.9%"},
		{[]string{"probe=false", "slo="}, func(s *Scenario) any { return s.Probe.Off }, true},
		{[]string{"description=a: b"}, func(s *Scenario) any { return s.Description }, nil},
		{[]string{"load.third.closed.concurrency=9"}, func(s *Scenario) any { return s.Load[1].Closed.Concurrency*10 + s.Load[2].Closed.Concurrency }, 39},
	} {
		t.Run(strings.Join(c.sets, " "), func(t *testing.T) {
			s, err := LoadBytes("settable.yaml", []byte(settable), Options{Sets: c.sets})
			if c.want == nil {
				if err == nil {
					t.Error("want an error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.got(s); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestSetMistakes loads one scenario with everything that can be wrong with a
// --set, at once.
func TestSetMistakes(t *testing.T) {
	_, err := LoadBytes("settable.yaml", []byte(settable), Options{Sets: []string{
		"", "warmup", "=5s", "..=1",
		"load.other.timeout=5s",
		"load.7.timeout=5s",
		"load.main.requests.x.path=/",
		"load.main.timeout=abc",
		"load.side.timeout=5",
		"load.third.closed.concurency=5",
		"name.first=x",
		"chaos.crash.every=[1,",
		"chaos.crash.jitter=-1s",
		"slo.0=availabilty >= 99%",
		"seed={a: 1}",
		"description=a\tb",
		"ready.path=é\nü: [",
	}})
	if err == nil {
		t.Fatal("want mistakes")
	}
	golden(t, "testdata/set.golden", err.Error()+"\n")
}

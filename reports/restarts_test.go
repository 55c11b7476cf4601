package reports

import "testing"

func TestRestarts(t *testing.T) {
	n := func(n int) *int { return &n }
	run := crashRun()
	run.Resources = []Resource{
		{Process: "master", PID: 1},
		{Process: "worker 1", PID: 2, Restarts: n(0)}, {Process: "worker 2", PID: 3, Restarts: n(0)},
		{Process: "worker 1", PID: 4, Restarts: n(1)}, {Process: "worker 1", PID: 5, Restarts: n(2)},
		{Process: "worker 2", PID: 6, Restarts: n(0)}, // by a reload
		{Process: "worker 3", PID: 7, Restarts: n(4)}, // whose earlier processes are forgotten
	}
	run.Objectives = objectives("restarts == 6", "restarts < 6")
	r := Fold(run)
	if s := r.SLOs[0]; !s.OK || s.text() != "6" {
		t.Errorf("%s: %s", s.Expr, s.text())
	}
	if r.SLOs[1].OK {
		t.Error("6 is less than 6")
	}
	run.Resources = run.Resources[:1]
	if want := "restarts == 6 is not met: restarts is unknown, because no process was a worker"; Fold(run).Reasons[0] != want {
		t.Errorf("it is said %q", Fold(run).Reasons[0])
	}
}

package reports

import "testing"

// Two streams, and a worker that had two processes.
func TestShares(t *testing.T) {
	run := crashRun()
	run.Loads = append(run.Loads, stream("other", 100))
	run.Loads[0].Workers = map[string]int64{"4711": 40, "4721": 20, "4712": 40, "9": 1000}
	run.Loads[1].Workers = map[string]int64{"4712": 100}
	run.Resources = []Resource{{Process: "master", PID: 4700}, {Process: "worker 1", PID: 4711}, {Process: "worker 2", PID: 4712}, {Process: "worker 1", PID: 4721}}
	run.Objectives = objectives("share-1 == 30%", "share-2 == 70%", "main.share-1 == 60%", "other.share-1 == 0%", "share-3 == 0%")
	for _, s := range Fold(run).SLOs {
		if !s.OK {
			t.Errorf("%s: %s", s.Expr, s.text())
		}
	}
	run.Resources = nil
	r := Fold(run)
	if s := r.SLOs[0]; s.Value != nil || s.OK {
		t.Errorf("without the processes %s is %s", s.Expr, s.text())
	}
	if want := "share-1 == 30% is not met: share-1 is unknown, because no answer said which worker gave it"; r.Reasons[0] != want {
		t.Errorf("it is said %q", r.Reasons[0])
	}
}

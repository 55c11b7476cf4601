package reports

import "testing"

func TestSharesText(t *testing.T) {
	processes := []Resource{{Process: "master", PID: 10}, {Process: "worker 1", PID: 11}, {Process: "worker 2", PID: 12}, {Process: "worker 1", PID: 13}, {Process: "worker 10", PID: 14}}
	for want, answers := range map[string]map[string]int64{
		"": {},
		"worker 1 100 % · worker 2 0 % · worker 10 0 %":       {"11": 1, "13": 2, "99": 5},
		"worker 1 75.00 % · worker 2 25.00 % · worker 10 0 %": {"11": 1, "13": 2, "12": 1},
		"worker 1 0 % · worker 2 0.01 % · worker 10 99.99 %":  {"14": 9999, "12": 1},
	} {
		if got := sharesText(answers, processes); got != want {
			t.Errorf("%v: %q, want %q", answers, got, want)
		}
	}
}

package reports

import "testing"

func TestSharesText(t *testing.T) {
	slots := map[string]string{"11": "worker 1", "12": "worker 2", "13": "worker 1", "14": "worker 10"}
	for want, answers := range map[string]map[string]int64{
		"":                                   {},
		"worker 1 100.0 %":                   {"11": 1, "13": 2, "99": 5},
		"worker 1 75.0 % · worker 2 25.0 %":  {"11": 1, "13": 2, "12": 1},
		"worker 2 50.0 % · worker 10 50.0 %": {"14": 3, "12": 3},
	} {
		if got := sharesText(answers, slots); got != want {
			t.Errorf("%v: %q, want %q", answers, got, want)
		}
	}
}

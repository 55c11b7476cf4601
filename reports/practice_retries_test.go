package reports

import "testing"

// Tries again are judged by what was counted of them: that they helped, and that
// the pauses before them grew.
func TestRetriesWithBackoff(t *testing.T) {
	worker := func(failed, succeeded int64, pauses ...Pause) Resource {
		return Resource{Process: "worker 1", Retries: &Retries{Failed: failed, Succeeded: succeeded, Pauses: pauses}}
	}
	for _, c := range []struct {
		name  string
		of    []Resource
		state PracticeState
		says  string
	}{
		{"nothing counted", []Resource{{Process: "master"}}, NotTried, "no failed call to a dependency was counted"},
		{"nothing failed", []Resource{worker(0, 0)}, NotTried, "no failed call to a dependency was counted"},
		{"a proxy", []Resource{{Retries: &Retries{Resent: 3}}, {Retries: &Retries{Resent: 4}}}, NotTried, "7 requests sent to another worker at once: nothing called for a pause"},
		{"no retry", []Resource{worker(12, 0, Pause{}, Pause{}, Pause{})}, NotShown, "12 calls to dependencies failed, and none was tried again"},
		{"in vain", []Resource{worker(12, 0, Pause{10, 0.2}, Pause{10, 0.4}, Pause{})}, NotShown, "10 calls to dependencies failed and were tried again, and none succeeded"},
		{"too few", []Resource{worker(200, 150, Pause{200, 4}, Pause{29, 1.2}, Pause{})}, NotTried, "150 of 200 failed calls succeeded when tried again; too few were tried twice to see whether the pauses grow"},
		{"no growth", []Resource{worker(100, 90, Pause{100, 2}, Pause{50, 1.1}, Pause{20, 0.4})}, NotShown, "90 of 100 failed calls succeeded when tried again, but the pauses did not grow: on average 20 ms, then 22 ms"},
		{"two tries", []Resource{worker(1100, 90, Pause{100, 2}, Pause{50, 2}, Pause{})}, Shown, "90 of 1,100 failed calls succeeded when tried again, after pauses of 20 ms, then 40 ms on average"},
		{"two workers", []Resource{worker(50, 41, Pause{50, 0.5}, Pause{15, 0.3}, Pause{5, 0.3}), worker(50, 49, Pause{50, 1.5}, Pause{15, 0.9}, Pause{5, 0.5}, Pause{5, 0.4})}, Shown,
			"90 of 100 failed calls succeeded when tried again, after pauses of 20 ms, then 40 ms, then 80 ms on average"},
	} {
		run := crashRun()
		run.Resources = c.of
		for _, p := range Fold(run).Practices {
			if p.Name == "retries with backoff" && (p.State != c.state || p.Figure != c.says) {
				t.Errorf("%s: %s, %q\nwant %s, %q", c.name, p.State, p.Figure, c.state, c.says)
			}
		}
	}
}

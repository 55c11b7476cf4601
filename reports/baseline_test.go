package reports

import (
	"strings"
	"testing"
	"time"
)

// Requests of the warm-up without an answer are failures if nothing but a hang
// explains them, and say nothing if the service may only be slow.
func TestBaselineOfAServiceThatHangs(t *testing.T) {
	const ms = time.Millisecond
	slos := objectives("availability >= 99%", "other.availability >= 50%")
	// 1 s of warm-up, and so long after it.
	stream := func(name string, ok, pending int64, waited, slowest time.Duration) Warmup {
		return Warmup{Stream: name, OK: ok, Pending: pending, Waited: waited, Slowest: slowest, Length: time.Second, Timeout: 5 * time.Second}
	}
	for name, c := range map[string]struct {
		warmup []Warmup
		says   string // "": nothing is wrong
	}{
		"no answer at all": {[]Warmup{stream("main", 0, 50, 2*time.Second, 0)},
			"50 of 50 requests of the warm-up had no answer 3 s after it had begun, 0 % are good"},
		"no answer yet":                 {[]Warmup{stream("main", 0, 50, 1400*ms, 0)}, ""},
		"all but one client":            {[]Warmup{stream("main", 450, 49, time.Second, 2*ms)}, "49 of 499 requests of the warm-up had no answer 2 s"},
		"all but one client, too early": {[]Warmup{stream("main", 450, 49, 400*ms, 2*ms)}, ""},
		"slower than the first fault":   {[]Warmup{stream("main", 50, 50, time.Second, 800*ms)}, ""},
		"a line that grows":             {[]Warmup{stream("main", 200, 200, 2*time.Second, 2*time.Second)}, ""},
		"a slow stream beside":          {[]Warmup{stream("main", 50, 0, 3*time.Second, 2*ms), stream("slow", 0, 9, 3*time.Second, 0)}, ""},
		"an objective on a silent stream": {[]Warmup{stream("main", 5000, 0, 3*time.Second, 2*ms), stream("other", 0, 9, 3*time.Second, 0)},
			"9 of 9 requests of the warm-up had no answer 4 s after it had begun, 0 % are good, but the objective is other.availability >= 50%"},
		"failures too": {[]Warmup{{Stream: "main", OK: 1, Failed: 1, Example: "reset", Pending: 2, Waited: 2 * time.Second, Slowest: ms, Timeout: 5 * time.Second}},
			"1 of 4 requests failed in the warm-up (reset) and 2 had no answer 2 s after it had begun, 25.00 % are good"},
	} {
		err := CheckBaseline(slos, c.warmup)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

//go:build unix

package main

import (
	"path/filepath"
	"testing"

	"github.com/hachaos/hachaos/targets/cluster/balance"
)

// TestSharesOfTheSlowWorker plays slow-worker, in which one worker of four takes
// 105 ms for a request and the others 5 ms, with 12 clients.
func TestSharesOfTheSlowWorker(t *testing.T) {
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", "slow-worker", "-o", "r.json",
		"--set", "probe=off", // its requests would take turns, too, and shift those of the load
		"--set", "slo=[failed == 0, share-1 >= 0, share-2 >= 0, share-3 >= 0, share-4 >= 0]")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	const slow = 100.0 // milliseconds, that an answer of the slow worker takes at least
	seen := map[string]bool{}
	for _, r := range readReports(t, filepath.Join(dir, "r.json")) {
		var shares [4]float64
		for i := range shares {
			shares[i] = *r.SLOs[1+i].Value
		}
		mine, latency := shares[1], r.Load[0].LatencyMS
		t.Logf("%s: %.3f, p50 %.0f ms, p90 %.0f ms, p99 %.0f ms", r.Scenario.Variant, shares, latency.P50, latency.P90, latency.P99)
		seen[r.Scenario.Variant] = true
		switch r.Scenario.Variant {
		case "balance=round-robin", "balance=weighted-round-robin":
			if mine < 0.2 || mine > 0.3 || latency.P99 < slow {
				t.Errorf("%s: the slow worker has %.3f of the answers, p99 %.0f ms", r.Scenario.Variant, mine, latency.P99)
			}
		case "balance=random": // 0.25, of some 100 requests on a busy machine: ± 0.04
			if mine < 0.1 || mine > 0.4 || latency.P99 < slow {
				t.Errorf("random: the slow worker has %.3f of the answers, p99 %.0f ms", mine, latency.P99)
			}
		case "balance=least-connections", "balance=least-response-time", "balance=random-two":
			if mine > 0.15 {
				t.Errorf("%s: the slow worker has %.3f of the answers", r.Scenario.Variant, mine)
			}
		case "balance=ip-hash":
			if max(shares[0], shares[1], shares[2], shares[3]) != 1 {
				t.Errorf("ip-hash: one client's answers are from several workers: %.3f", shares)
			}
		}
	}
	for _, algorithm := range balance.Algorithms() {
		if !seen["balance="+algorithm] {
			t.Errorf("%s is not played", algorithm)
		}
	}
}

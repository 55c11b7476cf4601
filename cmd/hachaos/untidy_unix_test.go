//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports"
)

// TestUntidyEndIsTold ends runs by a signal and by abort_if while a fault is in
// force that cannot be undone: the report says so, beside why the run ended.
func TestUntidyEndIsTold(t *testing.T) {
	const scenario = `
name: untidy
target: {single: {}}
warmup: 100ms
load: [{name: main, closed: {concurrency: 2}, duration: 60s}]
chaos: [{name: stuck, exec: {run: ["true"], revert: [sh, -c, "echo no way back >&2; exit 1"]}, at: 100ms, for: 50s}]
`
	for _, c := range []struct {
		name, scenario string
		signal         syscall.Signal
		verdict        reports.Verdict
		code           int
		why            string
	}{
		{"signal", scenario, syscall.SIGINT, reports.Interrupted, 130, "SIGINT ended the run"},
		{"abort", scenario + "abort_if: [throughput > 0]\n", 0, reports.Error, 3, "abort_if throughput > 0 struck"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			cmd, out := play(t, dir, "run", write(t, dir, "untidy.yaml", c.scenario), "-o", "r.json")
			if c.signal != 0 {
				await(t, "the fault", 60*time.Second, func() bool { return strings.Contains(out.String(), "stuck#1") })
				if err := cmd.Process.Signal(c.signal); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // its exit code is looked at
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d:\n%s", code, c.code, out)
			}
			r := readReport(t, filepath.Join(dir, "r.json"))
			reasons := strings.Join(r.Reasons, "\n")
			if r.Verdict != c.verdict || !strings.Contains(reasons, c.why) || !strings.Contains(reasons, "not everything was put back: ") {
				t.Errorf("verdict %s, reasons:\n%s", r.Verdict, reasons)
			}
		})
	}
}

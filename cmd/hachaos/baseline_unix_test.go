//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/reports"
)

// TestBadBaselineSaysWhatWentWrong plays a run against a target that is ready
// and answers badly in the warm-up.
func TestBadBaselineSaysWhatWentWrong(t *testing.T) {
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", "-o", "r.json", write(t, dir, "bad.yaml", `
name: bad
target: {single: {}}
ready: {path: /ready}
warmup: 500ms
load: [{name: main, closed: {concurrency: 2}, duration: 30s, requests: [{path: /nowhere}]}]
probe: {off: true}
slo: [availability >= 99%]
`))
	_ = cmd.Wait() // its exit code is looked at
	r := readReport(t, filepath.Join(dir, "r.json"))
	if code := cmd.ProcessState.ExitCode(); code != 3 || r.Verdict != reports.Error {
		t.Errorf("exit code %d, verdict %s:\n%s", code, r.Verdict, out)
	}
	if len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "failed in the warm-up (404 Not Found)") {
		t.Errorf("reasons %q", r.Reasons)
	}
}

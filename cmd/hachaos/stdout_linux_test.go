package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/reports"
)

// TestFullStandardOutput runs what prints to a standard output that takes
// nothing: an output that cannot be written is exit code 3, and no mistake of
// the command line.
func TestFullStandardOutput(t *testing.T) {
	dir := t.TempDir()
	var doc bytes.Buffer
	asJSON, err := reports.FormatNamed("json")
	if err != nil {
		t.Fatal(err)
	}
	if err := asJSON.Write(&doc, reports.Fold(reports.Run{Scenario: reports.Scenario{Name: "empty"}})); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "r.json", doc.String())
	for _, line := range []string{
		"report r.json", "report r.json --format markdown", "compare r.json r.json", "scenarios", "scenarios --json", "scenarios steady",
		"budget 99.9%", "budget 99.9% --json", "schema", "dashboard", "validate steady", "run worker-crash --dry-run", "run worker-crash --dry-run --json",
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd := exec.Command(filepath.Join(binary, name()), strings.Fields(line)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, full, &stderr
		_ = cmd.Run() // its exit code is looked at
		full.Close()
		text := stderr.String()
		if code := cmd.ProcessState.ExitCode(); code != reports.ExitError || strings.Contains(text, "--help") || !strings.Contains(text, "standard output: write /dev/stdout: no space left") {
			t.Errorf("%s: exit code %d: %s", line, code, text)
		}
	}
}

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	startCluster(t, dir)
	for _, line := range []string{
		"bench -V", "cluster status --dir c", "cluster status --json --dir c", "cluster reload --dir c", "cluster scale 2 --dir c", "cluster upgrade --dir c",
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

// startCluster runs a cluster with its control socket in the folder c of dir, until
// the test is over.
func startCluster(t *testing.T, dir string) {
	t.Helper()
	cluster := func(args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(binary, name()), append([]string{"cluster", "--dir", "c"}, args...)...)
		cmd.Dir = dir
		return cmd
	}
	master := cluster("--workers", "1", "--listen", "127.0.0.1:0")
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := cluster("stop").CombinedOutput(); err != nil {
			t.Errorf("stop the cluster: %v\n%s", err, out)
			_ = master.Process.Kill()
		}
		_ = master.Wait() // it may have handed over
	})
	await(t, "the cluster to come up", time.Minute, func() bool { return cluster("status").Run() == nil })
}

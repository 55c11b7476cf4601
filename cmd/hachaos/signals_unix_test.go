//go:build unix

package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/scenarios"
)

// TestIgnoredSignalsStayIgnored starts hachaos as nohup and as a script's & do: what
// they had ignored does not end it, and SIGTERM does.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	cmd := exec.Command("sh", "-c", `trap "" HUP INT; exec "$0" proxy --port 0`, filepath.Join(binary, name()))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	// It is up, so that it has said by now which signals it hears.
	answer := func() error {
		resp, err := http.Get(strings.TrimSpace(url) + "/version")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := answer(); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() // its exit code is looked at
	ended = true
	// Whichever it hears first tells its exit code.
	if code := cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit code %d, want 143: SIGTERM alone ends it", code)
	}
}

// TestRevertsHearSignals looks at what the guard starts: a service that it puts back
// must end on Ctrl-C and on kill.
func TestRevertsHearSignals(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	g, err := scenarios.StartGuard([]string{filepath.Join(binary, name()), "guard"}, "hearing")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ignored")
	if err := g.Open("a#1", chaos.Revert{Run: []string{"sh", "-c", "grep SigIgn /proc/self/status > " + file}}); err != nil {
		t.Fatal(err)
	}
	if report, err := g.Dismiss(); err != nil || len(report.Errors) > 0 {
		t.Fatalf("report %+v, error %v", report, err)
	}
	ignoresNone(t, file)
}

// TestTargetsHearSignals starts a run as a script's & does: a kill by SIGINT must
// work on what the run starts all the same.
func TestTargetsHearSignals(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "ignored")
	scenario := `{name: hears, target: {single: {}}, warmup: 50ms,
load: [{name: main, closed: {concurrency: 1}, duration: 300ms}],
chaos: [{name: look, exec: {run: [sh, -c, "grep SigIgn /proc/self/status > ` + file + `"]}, at: 100ms}]}`
	if err := os.WriteFile(filepath.Join(dir, "hears.yaml"), []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `trap "" HUP INT; exec "$0" run hears.yaml`, filepath.Join(binary, name()))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ignoresNone(t, file)
}

// ignoresNone reads a line of /proc/PID/status.
func ignoresNone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(string(text), "SigIgn:")), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range interrupts {
		if number := sig.(syscall.Signal); ignored>>(number-1)&1 != 0 {
			t.Errorf("it ignores %s", number)
		}
	}
}

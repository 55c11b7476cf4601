package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/proc"
	"github.com/rogpeppe/go-internal/testscript"
)

// binary is the folder of the hachaos that the tests run: built once, as users
// have it.
var binary string

func TestMain(m *testing.M) {
	// Tests that a script has started in the background, or nohup, ignore signals that
	// the hachaos which they start is to hear. What is heard here it starts with anew.
	for _, sig := range interrupts {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "hachaos-test-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, name()), ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("build hachaos: %w", err)
	}
	binary = dir
	return m.Run(), nil
}

func name() string {
	if runtime.GOOS == "windows" {
		return "hachaos.exe"
	}
	return "hachaos"
}

// root is the repository's.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func setup(t testing.TB) func(*testscript.Env) error {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	return func(env *testscript.Env) error {
		env.Setenv("BUSY_PORT", strconv.Itoa(busy.Addr().(*net.TCPAddr).Port))
		env.Setenv("PATH", binary+string(os.PathListSeparator)+env.Getenv("PATH"))
		env.Setenv("HACHAOS_BIN", binary)
		env.Setenv("REPO", root(t))
		env.Setenv("SHARED_TMP", os.TempDir())
		env.Setenv("NO_COLOR", "")
		return nil
	}
}

// leftovers fails a script if a process still carries the id of a run: all runs
// of a script have ended.
func leftovers(ts *testscript.TestScript, neg bool, args []string) {
	table, err := proc.ReadTable()
	ts.Check(err)
	for pid, p := range table {
		// Only runs that this script started have its folder in their environment.
		if proc.Environ(pid, proc.RunVar) != "" && proc.Environ(pid, "WORK") == ts.Getenv("WORK") && !p.Zombie {
			ts.Fatalf("left behind: %s (pid %d): %s", p.Name, pid, proc.Cmdline(pid))
		}
	}
}

// serverThere is the condition server:KIND: this machine has the real servers of a
// kind of dependency. CI must have them.
func serverThere(condition string) (bool, error) {
	kind, ok := strings.CutPrefix(condition, "server:")
	if !ok {
		return false, fmt.Errorf("unknown condition %s", condition)
	}
	err := backend.Config{Kind: kind}.Installed()
	if err != nil && os.Getenv("CI") == "true" && runtime.GOOS == "linux" {
		return false, fmt.Errorf("CI installs what .ci/needs lists: %w", err)
	}
	return err == nil, nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setup(t),
		RequireExplicitExec: true,
		Condition:           serverThere,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"leftovers": leftovers,
			"json":      jsonValue,
			"exit":      exitCode,
		},
	})
}

// readReports reads all of a file's reports.
func readReports(t testing.TB, path string) []*reports.Report {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := reports.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Reports()
}

// readReport reads the first of them.
func readReport(t testing.TB, path string) *reports.Report {
	t.Helper()
	return readReports(t, path)[0]
}

//go:build unix

package scenarios

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/targets/proc"
)

// role starts this test binary in a role, as a process of the run.
func role(t *testing.T, name, run string, out *os.File) *proc.Process {
	p, err := proc.Start(proc.Command{Path: os.Args[0], Env: []string{"SCENARIOS_TEST_ROLE=" + name, proc.RunVar + "=" + run}, Stdout: out, Stderr: os.Stderr})
	if err != nil {
		if t == nil {
			panic(err)
		}
		t.Fatal(err)
	}
	return p
}

// guardCommand starts this test binary as a guard.
func guardCommand(t *testing.T) []string {
	script := filepath.Join(t.TempDir(), "guard")
	text := fmt.Sprintf("#!/bin/sh\nSCENARIOS_TEST_ROLE=guard exec %q\n", os.Args[0])
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{script}
}

func ofRun(t *testing.T, run string) []proc.Info {
	t.Helper()
	table, err := proc.ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	return table.OfRun(run, nil)
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for: %s", what)
		}
		runtime.Gosched()
	}
}

func TestGuardAfterAGoodEnd(t *testing.T) {
	g, err := StartGuard(guardCommand(t), "good-end")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, err := range []error{
		g.Folder(folder),
		g.Open("freeze#1", chaos.Revert{Thaw: []proc.ID{{PID: 1 << 30}}}),
		g.Close("freeze#1"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	report, err := g.Dismiss()
	if err != nil || len(report.Reverted)+len(report.Ended)+len(report.Errors) > 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run's folder is still there: %v", err)
	}
	if err := g.Open("late#1", chaos.Revert{}); err == nil {
		t.Error("a dismissed guard took a fault")
	}
}

func TestGuardUndoesLastFirstAndEndsWhatIsLeft(t *testing.T) {
	const run = "left-behind"
	g, err := StartGuard(guardCommand(t), run)
	if err != nil {
		t.Fatal(err)
	}
	stranger := role(t, "sleep", "another-run", nil)
	t.Cleanup(stranger.Kill)
	frozen := role(t, "sleep", run, nil)
	if err := frozen.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// One that has wiped its environment is known by its id alone.
	wiped := role(t, "sleep", "", nil)
	log := filepath.Join(t.TempDir(), "log")
	say := func(word string) chaos.Revert {
		return chaos.Revert{Run: []string{"sh", "-c", "echo " + word + " >> " + log}}
	}
	for _, err := range []error{
		g.Process(wiped.ID()),
		g.Open("a#1", say("first")), g.Open("b#1", say("second")),
		g.Open("freeze#1", chaos.Revert{Thaw: []proc.ID{frozen.ID()}}),
		g.Open("c#1", chaos.Revert{Run: []string{"false"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	report, err := g.Dismiss()
	if err != nil {
		t.Fatal(err)
	}
	<-frozen.Done()
	<-wiped.Done()
	if got := fmt.Sprint(report.Reverted); got != "[freeze#1 b#1 a#1]" {
		t.Errorf("reverted %s", got)
	}
	if len(report.Errors) != 1 || !strings.Contains(report.Errors[0], "c#1: revert: run false: exit status 1") {
		t.Errorf("errors %q", report.Errors)
	}
	if len(report.Ended) != 2 {
		t.Errorf("ended %q", report.Ended)
	}
	if text, _ := os.ReadFile(log); string(text) != "second\nfirst\n" {
		t.Errorf("undone in the order %q", text)
	}
	select {
	case <-stranger.Done():
		t.Error("a process of another run was ended")
	default:
	}
}

// playController is a controller that has frozen a process of its run, and waits
// to be killed. Its arguments come by the environment.
func playController() {
	run := os.Getenv("SCENARIOS_TEST_RUN")
	g, err := StartGuard([]string{os.Getenv("SCENARIOS_TEST_GUARD")}, run)
	if err != nil {
		panic(err)
	}
	victim, worker := role(nil, "sleep", run, nil), role(nil, "sleep", run, nil)
	if err := errors.Join(
		g.Folder(os.Getenv("SCENARIOS_TEST_FOLDER")),
		g.Open("script#1", chaos.Revert{Run: []string{"sh", "-c", os.Getenv("SCENARIOS_TEST_REVERT")}}),
		g.Open("freeze#1", chaos.Revert{Thaw: []proc.ID{victim.ID()}}),
		victim.Signal(syscall.SIGSTOP),
	); err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode([]proc.ID{victim.ID(), worker.ID()}); err != nil {
		panic(err)
	}
	time.Sleep(time.Minute)
}

// controller starts a controller, see [playController], and waits until it has
// started its run. revert is the script that undoes one of its faults.
func controller(t *testing.T, run, folder, revert string, env ...string) *proc.Process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := proc.Start(proc.Command{Path: os.Args[0], Stdout: w, Stderr: os.Stderr, Env: append(env,
		"SCENARIOS_TEST_ROLE=controller", "SCENARIOS_TEST_RUN="+run, "SCENARIOS_TEST_REVERT="+revert,
		"SCENARIOS_TEST_FOLDER="+folder, "SCENARIOS_TEST_GUARD="+guardCommand(t)[0],
	)})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	var ids []proc.ID
	if err := json.NewDecoder(bufio.NewReader(r)).Decode(&ids); err != nil {
		t.Fatal(err)
	}
	if len(ofRun(t, run)) != 2 {
		t.Fatalf("the run has %d processes, want 2", len(ofRun(t, run)))
	}
	return p
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func TestGuardOutlivesItsController(t *testing.T) {
	const run = "killed-controller"
	folder := t.TempDir()
	controller(t, run, folder, "true").Kill()
	await(t, "the run's processes have ended", func() bool { return len(ofRun(t, run)) == 0 })
	await(t, "the run's folder is gone", func() bool { return !exists(folder) })
}

func TestGuardIsNotForPeople(t *testing.T) {
	for _, in := range []string{"", "hello\n", "{}\n"} {
		if err := RunGuard(strings.NewReader(in), &strings.Builder{}); err == nil {
			t.Errorf("journal %q was accepted", in)
		}
	}
}

package proc_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/proc"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	switch os.Getenv("PROC_TEST_ROLE") {
	case "":
		goleak.VerifyTestMain(m)
	case "sleep": // until it is ended
		os.Stdout.WriteString("up\n")
		time.Sleep(time.Minute)
	case "stubborn": // outlives SIGTERM
		ignoreTerm()
		os.Stdout.WriteString("up\n")
		time.Sleep(time.Minute)
	case "parent": // starts a sleeper and waits
		child := start(nil, "sleep")
		<-child.Done()
	case "talk":
		talk()
	case "fail":
		os.Stderr.WriteString("one\ntwo\nthree\n")
		os.Exit(7)
	}
}

// start starts this test binary in a role, and waits until it says that it is up.
func start(t *testing.T, role string, env ...string) *proc.Process {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	c := proc.Command{Path: self, Env: append(env, "PROC_TEST_ROLE="+role)}
	if t == nil {
		c.Stdout = os.Stdout
		p, err := proc.Start(c)
		if err != nil {
			panic(err)
		}
		return p
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout = w
	p, err := proc.Start(c)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if b := make([]byte, 3); role != "fail" {
		if _, err := r.Read(b); err != nil {
			t.Fatalf("%s did not come up: %v", role, err)
		}
	}
	return p
}

func TestExitIsTold(t *testing.T) {
	p := start(t, "fail")
	if e := p.Exit(); e.Code != 7 || !e.Failed() || e.String() != "exit status 7" {
		t.Errorf("exit is %+v, %q", e, e)
	}
	q := start(t, "sleep")
	q.Kill()
	if e := q.Exit(); runtime.GOOS != "windows" && (e.Signal != "SIGKILL" || e.String() != "killed by SIGKILL") {
		t.Errorf("exit is %+v, %q", e, e)
	}
}

func TestStop(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM to refuse")
	}
	if start(t, "sleep").Stop(t.Context()) {
		t.Error("force was needed for a process that ends on SIGTERM")
	}
	// A frozen process ends too: it is thawed for it.
	frozen := start(t, "sleep")
	if err := frozen.Signal(sigStop); err != nil {
		t.Fatal(err)
	}
	if frozen.Stop(t.Context()) {
		t.Error("force was needed for a frozen process")
	}
	stubborn := start(t, "stubborn")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if !stubborn.Stop(ctx) {
		t.Error("no force was needed for a process that ignores SIGTERM")
	}
}

func TestSignalSparesStrangers(t *testing.T) {
	p := start(t, "sleep")
	stranger := p.ID()
	stranger.Started++
	if err := proc.Signal(stranger, os.Kill); !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("signalling a pid with another start time: %v", err)
	}
	select {
	case <-p.Done():
		t.Fatal("the wrong process was killed")
	default:
	}
	if err := proc.Signal(p.ID(), os.Kill); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := proc.Signal(p.ID(), os.Kill); !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("signalling a reaped process: %v", err)
	}
}

func TestTreeAndRun(t *testing.T) {
	parent := start(t, "parent", proc.RunVar+"=run-a")
	other := start(t, "sleep", proc.RunVar+"=run-b")
	table, err := proc.ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	tree := table.Tree(parent.ID())
	if len(tree) != 2 || tree[0].ID != parent.ID() || tree[1].PPID != parent.PID() {
		t.Fatalf("tree of %v is %+v", parent.ID(), tree)
	}
	child := tree[1]
	if got := proc.Matching(tree, regexp.MustCompile(`proc\.test`)); len(got) != 2 {
		t.Errorf("%d of 2 command lines match", len(got))
	}

	ours := table.OfRun("run-a", nil)
	if runtime.GOOS == "linux" && len(ours) != 2 {
		t.Fatalf("the run has %d processes, want 2", len(ours))
	}
	for _, p := range ours {
		if p.ID == other.ID() {
			t.Fatal("a process of another run was counted in")
		}
	}

	// The child stays of the run when its parent is gone: it carries the id.
	parent.Kill()
	table, err = proc.ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	if left := table.OfRun("run-a", nil); len(left) != 1 || left[0].ID != child.ID {
		t.Errorf("after the parent's end the run has %+v, want %v", left, child.ID)
	}
	if left := table.OfRun("", []proc.ID{{PID: parent.PID(), Started: parent.ID().Started}}); runtime.GOOS == "linux" && len(left) != 0 {
		// The child has a group of its own and no other mark of the parent.
		t.Errorf("by the parent's id alone the run has %d processes", len(left))
	}
	if err := proc.Signal(child.ID, os.Kill); err != nil {
		t.Fatal(err)
	}
	waitGone(t, child.ID)
}

func waitGone(t *testing.T, id proc.ID) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if now, err := proc.Lookup(id.PID); err != nil || now.ID != id || now.Zombie {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("%v is still there", id)
}

func TestStartErrors(t *testing.T) {
	for _, c := range []struct {
		command proc.Command
		want    string
	}{
		{proc.Command{Path: "no-such-program-here"}, "start no-such-program-here: no such program in PATH"},
		{proc.Command{Path: "/no/such/file"}, "start /no/such/file: no such file"},
		{proc.Command{Path: os.Args[0], Dir: "/no/such/dir"}, "in /no/such/dir: file does not exist"},
	} {
		_, err := proc.Start(c.command)
		if err == nil || (!strings.Contains(err.Error(), c.want) && runtime.GOOS != "windows") {
			t.Errorf("%+v: error %v, want %q", c.command, err, c.want)
		}
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if got := proc.Tail(path, 3); got != "" {
		t.Errorf("tail of no file is %q", got)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("x\n", 10000)+"a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := proc.Tail(path, 2); got != "b\nc" {
		t.Errorf("tail is %q", got)
	}
}

func TestParseSignal(t *testing.T) {
	for _, name := range []string{"SIGKILL", "kill", "KILL"} {
		sig, err := proc.ParseSignal(name)
		if err != nil || proc.SignalName(sig) != "SIGKILL" {
			t.Errorf("%s: %v, %v", name, sig, err)
		}
	}
	if _, err := proc.ParseSignal("SIGNOPE"); err == nil || !strings.Contains(err.Error(), "SIGKILL") {
		t.Errorf("SIGNOPE: %v", err)
	}
}

//go:build unix

package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/cluster"
	"golang.org/x/sys/unix"
)

// fullPipe returns a pipe that takes nothing more until it is read.
func fullPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 4<<20)); !os.IsTimeout(err) {
		t.Fatalf("the pipe takes all: %v", err)
	}
	return r, w
}

// A disk that stalls, a pipe that nobody reads and a terminal that is held look
// alike to a master that logs.
func TestClusterServesWhileItsLogCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	r, w := fullPipe(t)
	hachaos := func(args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(binary, name()), append([]string{"cluster", "--dir", "c"}, args...)...)
		cmd.Dir = dir
		return cmd
	}
	config := filepath.Join(dir, "c.yaml")
	// Programs that print more than a pipe has room for.
	if err := os.WriteFile(config, []byte(`{workers: 1, dispatch: proxy, exec: ["sh", "-c", "while :; do echo 0123456789; done"], ready_timeout: 1m}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--workers", "2"}, {"--config", "c.yaml"}} {
		master := hachaos(append(args, "--listen", "127.0.0.1:0")...)
		master.Stderr = w
		if err := unix.SetNonblock(int(w.Fd()), false); err != nil { // as it is for the child
			t.Fatal(err)
		}
		if err := master.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = master.Process.Kill() }) // it has ended, if all is well
		ended := make(chan error, 1)
		go func() { ended <- master.Wait() }()
		status := func() (s cluster.Status) {
			if out, err := hachaos("status", "--json").Output(); err == nil {
				if err := json.Unmarshal(out, &s); err != nil {
					t.Fatal(err)
				}
			}
			return s
		}
		var first int
		await(t, "a worker", time.Minute, func() bool {
			s := status()
			if len(s.Workers) > 0 {
				first = s.Workers[0].PID
			}
			return first != 0 && (s.Ready == 2 || args[0] == "--config")
		})
		if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "another worker in its place", time.Minute, func() bool {
			s := status()
			return len(s.Workers) > 0 && s.Workers[0].PID != first && (s.Ready == 2 || args[0] == "--config")
		})
		if err := master.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%v: %v", args, err)
			}
		case <-time.After(time.Minute):
			_ = master.Process.Kill()
			t.Fatalf("%v: it does not end", args)
		}
	}
	r.Close()
}

func TestLogTellsWhatIsLost(t *testing.T) {
	r, w := io.Pipe()
	log, end := newLog(w, &slog.HandlerOptions{})
	const lines = 2 * patientRoom
	for i := range lines {
		log.Info("line", "n", i) // nobody reads
	}
	said := make(chan string)
	go func() {
		all, err := io.ReadAll(r)
		if err != nil {
			t.Error(err)
		}
		said <- string(all)
	}()
	end()
	w.Close()
	text := <-said
	kept := strings.Count(text, "msg=line")
	if kept < patientRoom || kept > patientRoom+1 { // one is being written
		t.Errorf("%d lines were kept, want %d", kept, patientRoom)
	}
	if want := "lines of the log are lost"; strings.Count(text, want) != 1 || !strings.Contains(text, "n=0\n") {
		t.Errorf("the log does not say what it lost, or lacks its begin:\n%.2000s", text)
	}
	log.Info("too late") // is no panic
}

// Neither does a run wait for who looks at it: a fault would last as long as a
// terminal is held.
func TestRunGoesOnWhileNobodyReads(t *testing.T) {
	_, w := fullPipe(t)
	if err := unix.SetNonblock(int(w.Fd()), false); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "held.yaml", `{name: held, target: {cluster: {workers: 1}}, warmup: 50ms,
load: [{name: main, closed: {concurrency: 1}, duration: 500ms}],
chaos: [{name: freeze, pause: {workers: 1}, at: 100ms, for: 100ms}]}`)
	cmd := exec.Command(filepath.Join(binary, name()), "run", "held.yaml", "-o", "held.json")
	cmd.Dir, cmd.Stderr = dir, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, if all is well
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	if _, err := os.Stat(filepath.Join(dir, "held.json")); err != nil {
		t.Error(err)
	}
}

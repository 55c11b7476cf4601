//go:build unix

package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

func TestControlErrors(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(2, "handoff", 0)})
	ctx, cancel := timeout()
	defer cancel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{f.Exit(ctx, 3, 1), "exit: there is no worker 3 (they are 1 to 2)"},
		{f.Exit(ctx, 0, 1), "exit: there is no worker 0 (they are 1 to 2)"},
		{f.Exit(ctx, 1, 300), "exit: 300 is no exit status (they are 0 to 255)"},
		{Client{Dir: f.Dir + "x"}.Stop(ctx), "no cluster runs here: there is no control socket " + f.Dir + "x/control.sock"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("error %v, want %s", c.err, c.want)
		}
	}
	for line, want := range map[string]string{
		"{\n":                            `{"error":"the request is no JSON: unexpected end of JSON input"}`,
		`{"do":"dance"}` + "\n":          `{"error":"unknown request \"dance\""}`,
		strings.Repeat("x", 5000) + "\n": "",
		"":                               "",
	} {
		conn, err := net.Dial("unix", filepath.Join(f.Dir, "control.sock"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, line); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		// What is unread when the master closes is a reset to its client.
		got, _ := io.ReadAll(conn)
		conn.Close()
		if s := strings.TrimSpace(string(got)); s != want {
			t.Errorf("the answer to %.20q is %q, want %q", line, s, want)
		}
	}
	f.freeze(f.process.ID())
	short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
	defer stop()
	if _, err := f.Status(short); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "status: the master has not answered") {
		t.Errorf("a frozen master's status: %v", err)
	}
	f.signal(f.process.ID(), "SIGCONT")
}

func TestControlIsPrivate(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(1, "handoff", 0)})
	for name, want := range map[string]os.FileMode{"": 0o700, "control.sock": 0o600, "workers.sock": 0o600} {
		info, err := os.Stat(filepath.Join(f.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", info.Name(), info.Mode().Perm(), want)
		}
	}
	// Who is no worker is turned away, and nobody else notices.
	for range 3 {
		w, err := dialWire(workerSocket(f.Dir))
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		if err := w.send(frame{kind: hello, x: 1, n: 1, m: uint64(os.Getpid())}, -1); err != nil {
			t.Fatal(err)
		}
		w.deadline(time.Now().Add(patience))
		if _, _, err := w.receive(); !errors.Is(err, io.EOF) {
			t.Errorf("an impostor hears %v", err)
		}
	}
	log, err := os.ReadFile(f.log)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "was turned away"); n != 1 {
		t.Errorf("the log tells %d times of one process that was turned away", n)
	}
	if s := f.status(); s.Ready != 1 {
		t.Errorf("the status is %+v", s)
	}
}

func TestRunMasterErrors(t *testing.T) {
	f := start(t, masterOptions{Config: config(1, "handoff", 0)})
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"second master", func(o *Options) { o.Dir = f.Dir }, "another master (pid " + strconv.Itoa(f.process.PID()) + ") has it (stop that one, or choose another directory)"},
		{"address in use", func(o *Options) { o.Listen = f.address }, "listen on " + f.address + ": address already in use (stop what listens there, or choose another port)"},
		{"no port", func(o *Options) { o.Listen = "127.0.0.1" }, "missing port"},
		{"open directory", func(o *Options) { o.Dir = open }, "must be a directory that belongs to you alone (chmod 700)"},
		{"long path", func(o *Options) { o.Dir = base + strings.Repeat("/long", 30) }, "choose a shorter one"},
		{"no such worker", func(o *Options) { o.Command = []string{"/no/such/program"} }, "start worker 1: start /no/such/program: no such file"},
		{"no command", func(o *Options) { o.Command = nil }, "no command that starts a worker"},
		{"bad dispatch", func(o *Options) { o.Config.Dispatch = "magic" }, `dispatch: "magic" is not one of`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Config: config(1, "handoff", 0), Listen: "127.0.0.1:0", Dir: filepath.Join(base, "c"), Command: []string{os.Args[0]}}
			c.change(&o)
			err := RunMaster(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(base, "c")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the control directory is left: %v", err)
			}
		})
	}
	if s := f.status(); s.Ready != 1 {
		t.Errorf("the first master's status is %+v", s)
	}
}

func TestMasterTakesOverFromADeadOne(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(1, "handoff", 0), Lifeline: time.Millisecond})
	f.process.Kill()
	f.awaitNoProcess()
	claimed, err := claimDir(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	claimed.release()
	if _, err := (Client{Dir: f.Dir}).Status(t.Context()); !errors.Is(err, ErrNoMaster) {
		t.Errorf("after clearing up the client says %v", err)
	}
	if err := os.RemoveAll(f.Dir); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(2, "handoff", 0)})
	ctx, cancel := timeout()
	defer cancel()
	victim := f.id(2)
	var seen []Change
	err := f.Watch(ctx, func(c Change) error {
		seen = append(seen, c)
		switch len(seen) {
		case 1:
			return proc.Signal(victim, os.Kill)
		case 3:
			return f.Stop(ctx) // within the watch, which the master's end ends
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 4 {
		t.Fatalf("watched only %+v", seen)
	}
	for i, want := range []struct {
		ready int
		what  string
	}{
		{2, "2 of 2 workers are ready"},
		{1, "worker 2 (pid " + strconv.Itoa(victim.PID) + ") was killed by SIGKILL"},
		{2, "worker 2 (pid " + strconv.Itoa(seen[2].PID) + ") is ready after "},
	} {
		if c := seen[i]; c.Ready != want.ready || !strings.HasPrefix(c.What, want.what) || i > 0 && c.At < seen[i-1].At {
			t.Errorf("change %d is %+v, want %+v", i, c, want)
		}
	}
	if last := seen[len(seen)-1]; last.Ready != 0 || last.State != Ended {
		t.Errorf("the last change is %+v", last)
	}
}

func TestPageSurvives(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(2, "handoff", 0)})
	ctx, cancel := timeout()
	defer cancel()
	for range 10 {
		if a := <-f.burst(ctx, 1); a.err != nil {
			t.Fatal(a.err)
		}
	}
	if err := f.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	var master *page.Process
	for _, p := range f.page.Processes() {
		if p.Slot == 0 {
			master = &p
			continue
		}
		if p.Ended == 0 || p.CPU == 0 || p.RSSMax == 0 || p.Served == 0 || p.Ready {
			t.Errorf("a worker's last entry is %+v", p)
		}
	}
	if master == nil || master.ID != f.process.ID() || master.RSSMax == 0 {
		t.Errorf("the master's entry is %+v", master)
	}
	if n := f.counted(); n != 10 {
		t.Errorf("the workers count %d requests, want 10", n)
	}
}

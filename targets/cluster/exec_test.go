//go:build unix

package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// programArg tells this test binary that it is another program, which ends at
// once when it is told to.
const programArg = "program"

// programMain answers, but for /hold, which it answers never. Given a listener
// instead of a port it serves in turn. If it is to be stubborn it does not end when
// it is told to, and says when it listens to that no more.
func programMain() {
	if len(os.Args) > 2 {
		signal.Ignore(os.Interrupt, syscall.SIGTERM)
		fmt.Println(os.Args[2])
		select {}
	}
	if os.Getenv("LISTEN_FDS") != "" {
		serveInTurn()
		return
	}
	err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-r.Context().Done()
		}
		fmt.Fprintln(w, "done")
	}))
	fmt.Fprintln(os.Stderr, "program:", err)
	os.Exit(1)
}

// program is a configuration whose workers are another program.
func program(t *testing.T, workers int, standby string) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	conf := config(workers, "proxy", 0)
	conf.Exec, conf.Standby = []string{self, programArg}, standby
	conf.KillTimeout = units.Duration(time.Hour) // who waits for that waits for ever
	return conf
}

// node is a configuration whose workers are Node.js servers.
func node(t *testing.T, workers int, dispatch string) Config {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Node.js is missing")
		}
		t.Skip("Node.js is missing")
	}
	conf := config(workers, dispatch, 0)
	conf.Exec = []string{"node", "testdata/server.js"}
	conf.Restart.MinUptime = units.Duration(200 * time.Millisecond)
	conf.KillTimeout = units.Duration(20 * time.Second)
	return conf
}

// serveInTurn serves one connection after the other on the listener that the
// program was given. Asked to end it finishes the one that it has, and leaves those
// that wait.
func serveInTurn() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	ln, err := net.FileListener(os.NewFile(listenFDsStart, "listener"))
	if err != nil {
		panic(err)
	}
	go func() {
		<-term
		ln.Close()
	}()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			time.Sleep(10 * time.Millisecond) // its work
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Worker: %d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", os.Getpid())
		}
		conn.Close()
	}
}

func TestAnyProgramAsWorkers(t *testing.T) {
	for _, dispatch := range []string{"proxy", "shared", "reuseport"} {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := node(t, 2, dispatch)
			f := start(t, masterOptions{Config: conf})
			before := f.status().pids()
			ctx, cancel := timeout()
			defer cancel()
			// In shared and reuseport a connection can come before its program listens.
			seen := map[int]bool{}
			if !eventually(func() bool {
				a := <-f.burst(ctx, 1)
				if a.err != nil {
					t.Fatal(a.err)
				}
				seen[a.pid] = true
				return len(seen) == 2
			}) {
				t.Errorf("answers came from %v only, the workers are %v", seen, before)
			}
			for _, pid := range before {
				if !seen[pid] {
					t.Errorf("process %d is a worker and never answered: %v did", pid, seen)
				}
			}
			f.signal(f.id(1), "SIGKILL")
			f.await("the replacement", func(s Status) bool { return s.Ready == 2 && s.Workers[0].PID != before[0] })
			l := f.load(2, false)
			if err := f.Reload(ctx); err != nil {
				t.Fatal(err)
			}
			after := f.status()
			for _, pid := range after.pids() {
				if slices.Contains(before, pid) || after.Ready != 2 {
					t.Errorf("after the reload the status is %+v", after)
				}
			}
			l.end()
			if lost := l.lost.Load(); lost != 0 {
				t.Errorf("%d requests were lost: %v", lost, l.errs)
			}
			if err := f.Exit(ctx, 1, 1); err == nil || !strings.HasPrefix(err.Error(), "exit: only the reference application") {
				t.Errorf("an exit that a program knows nothing of: %v", err)
			}
			if dispatch != "proxy" {
				return
			}
			c := &caller{address: f.address}
			if _, status, err := c.get(ctx, "/error"); err != nil || status != 500 {
				t.Errorf("status %d, %v", status, err)
			}
			s := f.await("counts", func(s Status) bool { return s.Workers[0].Errors+s.Workers[1].Errors > 0 })
			if s.Workers[0].Requests+s.Workers[1].Requests == 0 || s.Workers[0].InFlight != 0 {
				t.Errorf("the status is %+v", s)
			}
		})
	}
}

func TestBlockedEventLoopIsReplaced(t *testing.T) {
	t.Parallel()
	conf := node(t, 1, "proxy")
	conf.Liveness = &Liveness{Interval: units.Duration(50 * time.Millisecond), Timeout: units.Duration(3 * time.Second), Fails: 1}
	f := start(t, masterOptions{Config: conf})
	hung := f.id(1)
	ctx, cancel := timeout()
	defer cancel()
	go func() { _, _, _ = (&caller{address: f.address}).get(ctx, "/hang") }()
	f.await("a replacement", func(s Status) bool { return s.Ready == 1 && s.Workers[0].PID != hung.PID })
	if a := <-f.burst(ctx, 1); a.err != nil {
		t.Error(a.err)
	}
}

func TestExecCheck(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Exec: []string{"node"}}, ""},
		{Config{Exec: []string{""}}, "exec: exec begins with a program"},
		{Config{Exec: []string{"node"}, Dispatch: "handoff"}, "exec: dispatch handoff gives connections to hachaos's own workers"},
		{Config{Exec: []string{"node"}, Dispatch: "shared", Liveness: &Liveness{}}, "liveness: with exec it needs dispatch proxy"},
		{Config{Exec: []string{"node"}, Dispatch: "reuseport", Reload: Reload{OnFailure: "rollback"}}, "reload.on_failure: with exec rollback needs dispatch proxy"},
	} {
		c.config.SetDefaults()
		var got error
		c.config.Check(func(path, message string) { got = errors.Join(got, fmt.Errorf("%s: %s", path, message)) })
		if (got == nil) != (c.want == "") || got != nil && !strings.HasPrefix(got.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.config, got, c.want)
		}
	}
	for _, c := range []struct{ program, want string }{
		{"no-such-program", "exec: start no-such-program: there is no such program in PATH"},
		{"/no/such/program", "exec: start /no/such/program: there is no such program"},
	} {
		conf := config(1, "proxy", 0)
		conf.Exec = []string{c.program}
		err := RunMaster(t.Context(), Options{Config: conf, Listen: "127.0.0.1:0", Dir: t.TempDir(), Command: []string{os.Args[0]}})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", c.program, err)
		}
	}
}

//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
	"github.com/shirou/gopsutil/v3/process"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what has to happen.
const patience = 60 * time.Second

// masterVar tells this test binary that it is a master, with the options in this
// file.
const masterVar = "CLUSTER_TEST_MASTER"

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == programArg:
		programMain()
	case os.Getenv(workerVar) != "":
		workerMain()
	case os.Getenv(standbyVar) != "":
		if err := RunStandby(context.Background(), testLog()); err != nil {
			fmt.Fprintln(os.Stderr, "standby:", err)
			os.Exit(1)
		}
	case os.Getenv(masterVar) != "":
		masterMain()
	default:
		goleak.VerifyTestMain(m)
	}
}

// masterOptions is what a test's master is told.
type masterOptions struct {
	Config   Config
	Dir      string
	Seed     uint64
	Lifeline time.Duration
	Mood     string // of the first workers
}

func masterMain() {
	var o masterOptions
	text, err := os.ReadFile(os.Getenv(masterVar))
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		panic(err)
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	counters, err := page.Inherited(4)
	if err != nil {
		panic(err)
	}
	if err := RunMaster(context.Background(), Options{
		Config: o.Config, Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dir: o.Dir, Seed: o.Seed, Lifeline: o.Lifeline,
		Command: []string{self, o.Dir + ".mood"}, Standby: []string{self}, Ready: os.NewFile(3, "ready"),
		Page: counters, Log: testLog(),
	}); err != nil {
		fmt.Fprintln(os.Stderr, "master:", err)
		os.Exit(1)
	}
}

func testLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// workerMain is a worker, in the mood that a test has written to a file: one
// that crashes, or never becomes ready.
func workerMain() {
	mood, err := os.ReadFile(os.Args[1])
	switch {
	case err != nil:
	case string(mood) == "crash":
		os.Exit(3)
	case string(mood) == "hang":
		select {}
	case string(mood) == "chatter":
		fmt.Println("hello")
		fmt.Fprintln(os.Stderr, "panic is only a word")
	case string(mood) == "second hangs" && os.Getenv("INSTANCE_ID") == "2":
		select {}
	case string(mood) == "third crashes" && os.Getenv("INSTANCE_ID") == "3":
		os.Exit(3)
	}
	if err := RunWorker(context.Background(), slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

// fixture is a cluster of real processes. It checks that none is left of it.
type fixture struct {
	Client
	t       *testing.T
	process *proc.Process
	address string
	log     string
	page    *page.Page
	run     string
}

var runs atomic.Int64

// start starts a cluster and waits until its workers are ready.
func start(t *testing.T, o masterOptions) *fixture {
	t.Helper()
	f := launch(t, o)
	f.await("all workers to be ready", func(s Status) bool { return s.Ready == int(o.Config.Workers) })
	return f
}

// launch starts a cluster.
func launch(t *testing.T, o masterOptions) *fixture {
	t.Helper()
	folder, err := os.MkdirTemp("", "hc") // a test's own directory has too long a path
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = filepath.Join(folder, "c")
	f := &fixture{t: t, Client: Client{o.Dir}, log: filepath.Join(folder, "log"), run: fmt.Sprintf("cluster-%d-%d", os.Getpid(), runs.Add(1))}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	options := filepath.Join(folder, "options")
	if err := os.WriteFile(options, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if o.Mood != "" {
		f.mood(o.Mood)
	}
	log, err := os.Create(f.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if f.page, err = page.New(filepath.Join(folder, "page")); err != nil {
		t.Fatal(err)
	}
	f.process, err = proc.Start(proc.Command{
		Path: self, Env: []string{masterVar + "=" + options, proc.RunVar + "=" + f.run, "GORACE=atexit_sleep_ms=0"},
		Stdout: log, Stderr: log, Files: []*os.File{w, f.page.File()},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.cleanUp(folder) })
	var said Ready
	if err := json.NewDecoder(r).Decode(&said); err != nil {
		t.Fatalf("the master does not listen: %v\n%s", err, proc.Tail(f.log, 10))
	}
	f.address = said.Address
	return f
}

func (f *fixture) cleanUp(folder string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if f.process.Stop(ctx) {
		f.t.Error("the master had to be killed")
	}
	f.awaitNoProcess()
	if f.page != nil {
		f.page.Close()
	}
	log, err := os.ReadFile(f.log)
	if err != nil {
		f.t.Error(err)
	}
	for _, word := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if strings.Contains(string(log), word) {
			f.t.Errorf("the log says %s:\n%s", word, log)
		}
	}
	if f.t.Failed() {
		f.t.Logf("the log ends:\n%s", proc.Tail(f.log, 40))
	}
	os.RemoveAll(folder)
}

// awaitNoProcess waits until no process of the cluster is left.
func (f *fixture) awaitNoProcess() {
	f.t.Helper()
	var left []proc.Info
	if !eventually(func() bool {
		table, err := proc.ReadTable()
		if err != nil {
			f.t.Fatal(err)
		}
		left = table.OfRun(f.run, []proc.ID{f.process.ID()})
		return len(left) == 0
	}) {
		f.t.Errorf("%d processes are left: %+v", len(left), left)
		for _, p := range left {
			_ = proc.Signal(p.ID, os.Kill)
		}
	}
}

// eventually waits until ok is true, and returns false if that takes too long.
func eventually(ok func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return true
		}
	}
	return ok()
}

func (f *fixture) status() Status {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	s, err := f.Status(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// await waits until the cluster's status is as wanted.
func (f *fixture) await(what string, ok func(Status) bool) Status {
	f.t.Helper()
	var s Status
	if !eventually(func() bool { s = f.status(); return ok(s) }) {
		f.t.Fatalf("waited in vain for %s; the status is %+v\n%s", what, s, proc.Tail(f.log, 20))
	}
	return s
}

// pids are those of the workers, by slot.
func (s Status) pids() []int {
	var pids []int
	for _, w := range s.Workers {
		pids = append(pids, w.PID)
	}
	return pids
}

// id names the process of a slot.
func (f *fixture) id(slot int) proc.ID {
	f.t.Helper()
	for _, p := range slices.Backward(f.page.Processes()) {
		if p.Slot == slot && p.Ended == 0 {
			return p.ID
		}
	}
	f.t.Fatalf("there is no worker %d", slot)
	return proc.ID{}
}

// signal sends a signal to a worker.
func (f *fixture) signal(id proc.ID, name string) {
	f.t.Helper()
	sig, err := proc.ParseSignal(name)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := proc.Signal(id, sig); err != nil {
		f.t.Fatalf("send %s to %v: %v", name, id, err)
	}
}

// freeze stops a process and waits until it stands still.
func (f *fixture) freeze(id proc.ID) {
	f.t.Helper()
	f.signal(id, "SIGSTOP")
	p := process.Process{Pid: int32(id.PID)}
	if !eventually(func() bool {
		status, err := p.Status()
		return err == nil && slices.Contains(status, process.Stop)
	}) {
		f.t.Fatalf("process %d does not stand still", id.PID)
	}
}

// mood changes what new workers do.
func (f *fixture) mood(mood string) {
	f.t.Helper()
	if err := os.WriteFile(f.Dir+".mood", []byte(mood), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// counted is how many requests all workers say to have served.
func (f *fixture) counted() (n int64) {
	for _, p := range f.page.Processes() {
		n += p.Served
	}
	return n
}

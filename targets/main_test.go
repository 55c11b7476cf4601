package targets

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/proc"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what has to happen.
const patience = 60 * time.Second

// selfVar tells this test binary that it is hachaos.
const selfVar = "TARGETS_TEST_SELF"

func TestMain(m *testing.M) {
	if os.Getenv(selfVar) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := hachaos(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hachaos:", err)
		os.Exit(1)
	}
}

// hachaos does what the commands that targets start do.
func hachaos(args []string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	switch strings.Join(args[:min(2, len(args))], " ") {
	case "worker --single":
		return app.RunSingle(context.Background(), os.Stdin, os.Stdout, log)
	case "worker":
		return runWorker(log)
	case "standby":
		return runStandby(log)
	case "tree":
		return runTree()
	case "mumble worker":
		return mumble(os.Stdout)
	case "mumble cluster":
		return mumble(os.NewFile(3, "ready"))
	}
	return runMaster(args[1:], log)
}

// mumble says what nobody understands, and stays.
func mumble(to *os.File) error {
	fmt.Fprintln(to, "hm")
	time.Sleep(patience)
	return nil
}

// clusterFlags are those that the cluster target gives.
type clusterFlags struct {
	config, dir, listen string
	seed                uint64
	readyFD, pageFD     int
}

func parseClusterFlags(args []string) (f clusterFlags, err error) {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.StringVar(&f.config, "config", "", "")
	flags.StringVar(&f.dir, "dir", "", "")
	flags.StringVar(&f.listen, "listen", "", "")
	flags.Uint64Var(&f.seed, "seed", 0, "")
	flags.IntVar(&f.readyFD, "ready-fd", 0, "")
	flags.IntVar(&f.pageFD, "page-fd", 0, "")
	return f, flags.Parse(args)
}

// stage is where a test's targets live. It checks that none of their processes
// is left.
type stage struct {
	Options
	t   *testing.T
	run string

	mu      sync.Mutex
	changes []Change
	started []proc.ID
}

var runs atomic.Int64

func newStage(t *testing.T) *stage {
	t.Helper()
	folder, err := os.MkdirTemp("", "ht") // a test's own directory has too long a path
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, run: fmt.Sprintf("targets-%d-%d", os.Getpid(), runs.Add(1))}
	s.Options = Options{
		Self:   []string{self},
		Env:    []string{selfVar + "=1", proc.RunVar + "=" + s.run, "GORACE=atexit_sleep_ms=0"},
		Folder: folder, Sockets: folder,
		OnStart: func(id proc.ID) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.started = append(s.started, id)
		},
		Observe: func(c Change) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changes = append(s.changes, c)
		},
	}
	t.Cleanup(func() {
		s.awaitNoProcess()
		logs, _ := filepath.Glob(filepath.Join(folder, "*.log"))
		for _, path := range logs {
			text, err := os.ReadFile(path)
			if err != nil || strings.Contains(string(text), "DATA RACE") || strings.Contains(string(text), "panic") || t.Failed() {
				t.Errorf("%s, %v:\n%s", path, err, text)
			}
		}
		os.RemoveAll(folder)
	})
	return s
}

// play starts a target, and stops it at the test's end.
func (s *stage) play(target Target) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := target.Start(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.stop(target) })
}

func (s *stage) stop(target Target) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := target.Stop(ctx); err != nil {
		s.t.Error(err)
	}
}

// processes is what targets with processes have in common.
type processes interface {
	Target
	Main() (proc.ID, bool)
	Workers() ([]Worker, error)
	All() ([]proc.Info, error)
	Usages() []Usage
	Served() map[int]int64
}

// checkEmpty checks that a target that does not run can be asked all the same.
func (s *stage) checkEmpty(target processes) {
	s.t.Helper()
	_, alive := target.Main()
	workers, err := target.Workers()
	all, err2 := target.All()
	if alive || len(workers) > 0 || len(all) > 0 || err != nil || err2 != nil {
		s.t.Errorf("it does not run and has %+v, %+v, %v, %v", workers, all, err, err2)
	}
	target.Usages()
	target.Served()
	s.stop(target)
}

// seen are the changes so far.
func (s *stage) seen() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Change(nil), s.changes...)
}

// awaitReady waits until the last change says that so many are ready.
func (s *stage) awaitReady(n int) {
	s.t.Helper()
	s.await(fmt.Sprintf("%d to be ready", n), func() bool {
		seen := s.seen()
		return len(seen) > 0 && seen[len(seen)-1].Ready == n
	})
}

func (s *stage) await(what string, ok func() bool) {
	s.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	s.t.Fatalf("waited in vain for %s; seen were %+v", what, s.seen())
}

func (s *stage) awaitNoProcess() {
	s.t.Helper()
	s.await("all processes to end", func() bool {
		table, err := proc.ReadTable()
		if err != nil {
			s.t.Fatal(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(table.OfRun(s.run, s.started)) == 0
	})
}

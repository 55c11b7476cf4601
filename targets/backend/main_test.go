package backend_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos/netproxy"
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/proc"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what has to happen.
const patience = 60 * time.Second

// selfVar tells this test binary that it is hachaos.
const selfVar = "BACKEND_TEST_SELF"

func TestMain(m *testing.M) {
	if os.Getenv(selfVar) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := backend.Serve(context.Background(), os.Args[2], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hachaos:", err)
		os.Exit(1)
	}
}

// stage is where a test's dependencies live. It checks that none of their
// processes is left.
type stage struct {
	backend.Options
	t       *testing.T
	run     string
	proxies *netproxy.Server

	mu      sync.Mutex
	changes []backend.Change
	started []proc.ID
}

var runs atomic.Int64

func newStage(t *testing.T) *stage {
	t.Helper()
	folder, err := os.MkdirTemp("", "hb")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, run: fmt.Sprintf("backend-%d-%d", os.Getpid(), runs.Add(1))}
	s.proxies, err = netproxy.New(netproxy.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.Options = backend.Options{
		Self:    []string{self},
		Env:     []string{selfVar + "=1", proc.RunVar + "=" + s.run, "GORACE=atexit_sleep_ms=0"},
		Folder:  folder,
		Proxies: s,
		OnStart: func(id proc.ID) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.started = append(s.started, id)
		},
		Observe: func(c backend.Change) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changes = append(s.changes, c)
		},
	}
	t.Cleanup(func() {
		s.proxies.Close()
		s.await("all processes to end", func() error { return s.left() })
		logs, _ := filepath.Glob(filepath.Join(folder, "*", "*.log"))
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

// left says which processes of the run are there.
func (s *stage) left() error {
	table, err := proc.ReadTable()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := table.OfRun(s.run, s.started); len(left) > 0 {
		return fmt.Errorf("left are %+v", left)
	}
	return nil
}

// Add implements [backend.Proxies].
func (s *stage) Add(_ context.Context, name, listen, upstream string) (string, error) {
	p, err := s.proxies.Add(netproxy.Config{Name: name, Listen: listen, Upstream: upstream, Enabled: true})
	if err != nil {
		return "", err
	}
	return p.State().Listen, nil
}

// Repoint implements [backend.Proxies].
func (s *stage) Repoint(_ context.Context, name, upstream string) error {
	return s.update(name, func(c *netproxy.Config) { c.Upstream = upstream })
}

// cut cuts a proxy, or mends it.
func (s *stage) cut(name string, cut bool) {
	s.t.Helper()
	if err := s.update(name, func(c *netproxy.Config) { c.Enabled = !cut }); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) update(name string, change func(*netproxy.Config)) error {
	p, err := s.proxies.Proxy(name)
	if err != nil {
		return err
	}
	now := p.State()
	c := netproxy.Config{Name: name, Listen: now.Listen, Upstream: now.Upstream, Enabled: now.Enabled}
	change(&c)
	return p.Update(c)
}

// play starts a dependency, and stops it at the test's end.
func (s *stage) play(name string, config backend.Config) *backend.Backend {
	s.t.Helper()
	config.SetDefaults()
	config.Check(func(path, message string) { s.t.Errorf("%s: %s", path, message) })
	b := backend.New(name, config, s.Options)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.t.Cleanup(func() { s.stop(b) })
	if err := b.Start(ctx); err != nil {
		s.t.Fatal(err)
	}
	// By this a guard finds what nobody told it of.
	for _, n := range b.Nodes() {
		if n.Alive && runtime.GOOS == "linux" && proc.Environ(n.ID.PID, proc.RunVar) != s.run {
			s.t.Errorf("%s of %s does not carry the run's id", n.Name, name)
		}
	}
	return b
}

func (s *stage) stop(b *backend.Backend) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		s.t.Error(err)
	}
}

// seen are the changes so far.
func (s *stage) seen() []backend.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]backend.Change(nil), s.changes...)
}

// awaitEvent waits until a change of a kind was seen, and returns the last.
func (s *stage) awaitEvent(event backend.Event) (found backend.Change) {
	s.t.Helper()
	s.await(string(event), func() error {
		for _, c := range s.seen() {
			if c.Event == event {
				found = c
			}
		}
		if found.Event == "" {
			return fmt.Errorf("seen were %+v", s.seen())
		}
		return nil
	})
	return found
}

// await tries until it works.
func (s *stage) await(what string, try func() error) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if err = try(); err == nil {
			return
		}
	}
	s.t.Fatalf("waited in vain for %s: %v", what, err)
}

// kill kills a node and returns it.
func (s *stage) kill(b *backend.Backend, role backend.Role) backend.Node {
	s.t.Helper()
	nodes, err := b.Select(role)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := proc.Signal(nodes[0].ID, os.Kill); err != nil {
		s.t.Fatal(err)
	}
	return nodes[0]
}

// freezeMatching stops the processes of a node whose command line matches; all
// of them do with "".
func (s *stage) freezeMatching(b *backend.Backend, node, pattern string) {
	s.t.Helper()
	found := 0
	for _, id := range b.Processes(node) {
		if strings.Contains(proc.Cmdline(id.PID), pattern) {
			s.signal(id, "SIGSTOP")
			found++
		}
	}
	if found == 0 {
		s.t.Fatalf("%s has no process %q", node, pattern)
	}
}

func (s *stage) thaw(b *backend.Backend, node string) {
	s.t.Helper()
	for _, id := range b.Processes(node) {
		s.signal(id, "SIGCONT")
	}
}

func (s *stage) signal(id proc.ID, name string) {
	s.t.Helper()
	sig, err := proc.ParseSignal(name)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := proc.Signal(id, sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatal(err)
	}
}

//go:build unix

package targets

import (
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hachaos/hachaos/targets/proc"
)

// runTree is a program that keeps three sleeping children, replaces one that
// ends, and on SIGUSR2 replaces all of them, one by one.
func runTree() error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR2, syscall.SIGTERM)
	ended := make(chan *proc.Process, 16)
	start := func() (*proc.Process, error) {
		p, err := proc.Start(proc.Command{Path: "sleep", Args: []string{"3600"}})
		if err == nil {
			go func() { <-p.Done(); ended <- p }()
		}
		return p, err
	}
	var children []*proc.Process
	for range 3 {
		p, err := start()
		if err != nil {
			return err
		}
		children = append(children, p)
	}
	for {
		select {
		case p := <-ended:
			i := slices.Index(children, p)
			if i < 0 {
				continue // it was replaced on purpose
			}
			next, err := start()
			if err != nil {
				return err
			}
			children[i] = next
		case sig := <-signals:
			for i, old := range children {
				if sig == syscall.SIGUSR2 {
					next, err := start()
					if err != nil {
						return err
					}
					children[i] = next
				}
				old.Kill()
			}
			if sig == syscall.SIGTERM {
				return nil
			}
		}
	}
}

func newCommandTarget(s *stage, reload *CommandReload, run ...string) *Command {
	s.t.Helper()
	c := NewCommand(CommandConfig{Run: run, URL: "http://127.0.0.1:1/", Reload: reload}, s.Options)
	s.play(c)
	return c
}

func livingWorkers(t *testing.T, c *Command) map[int]int {
	t.Helper()
	workers, err := c.Workers()
	if err != nil {
		t.Fatal(err)
	}
	slots := map[int]int{}
	for _, w := range workers {
		slots[w.Slot] = w.PID
	}
	return slots
}

func TestSlotsOutliveTheirProcesses(t *testing.T) {
	c := &Command{}
	id := func(n int) proc.ID { return proc.ID{PID: n, Started: int64(n)} }
	c.assign([]proc.ID{id(1), id(2), id(3)})
	c.assign([]proc.ID{id(1), id(3)}) // 2 has ended, and its slot waits
	c.assign([]proc.ID{id(1), id(3), id(4), id(5)})
	want := []proc.ID{id(1), id(4), id(3), id(5)}
	for i := range want {
		if c.slots[i] != want[i] {
			t.Fatalf("slots are %v, want %v", c.slots, want)
		}
	}
}

func TestCommandWithoutChildrenIsTheWorker(t *testing.T) {
	s := newStage(t)
	c := newCommandTarget(s, nil, "sleep", "3600")
	main, alive := c.Main()
	if got := livingWorkers(t, c); !alive || len(got) != 1 || got[1] != main.PID || c.Slots() != 1 {
		t.Errorf("workers %v of main %v", got, main)
	}
	if err := proc.Signal(main, os.Kill); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Err(); !strings.Contains(err.Error(), "killed by SIGKILL") {
		t.Errorf("it ended with %v", err)
	}
	if _, alive := c.Main(); alive {
		t.Error("the main process lives on")
	}
}

func TestCommandThatEndsSaysItsLastWords(t *testing.T) {
	c := newCommandTarget(newStage(t), nil, "sh", "-c", "echo one; echo two >&2; exit 7")
	<-c.Done()
	if err := c.Err(); !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "one\ntwo") {
		t.Errorf("error %v", err)
	}
}

func TestCommandReload(t *testing.T) {
	s := newStage(t)
	c := newCommandTarget(s, &CommandReload{Signal: "SIGUSR2"}, s.Self[0], "tree")
	s.await("three workers", func() bool { return len(livingWorkers(t, c)) == 3 })
	before := livingWorkers(t, c)
	if err := c.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := livingWorkers(t, c)
	for slot, pid := range after {
		for _, old := range before {
			if pid == old {
				t.Errorf("slot %d still has pid %d", slot, pid)
			}
		}
	}
	if len(after) < 3 {
		t.Errorf("workers are %v after the reload, were %v", after, before)
	}
	// A reload by command says so when the command fails.
	c.config.Reload = &CommandReload{Run: []string{"sh", "-c", "exit 3"}}
	if err := c.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v", err)
	}
	c.config.Reload = nil
	if err := c.Reload(t.Context()); err == nil {
		t.Error("a command without reload was reloaded")
	}
}

func TestCommandSeesAWorkerComeAndGo(t *testing.T) {
	s := newStage(t)
	c := newCommandTarget(s, nil, s.Self[0], "tree")
	s.await("three workers", func() bool { return len(livingWorkers(t, c)) == 3 })
	pid := livingWorkers(t, c)[2]
	c.Stir()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.await("a new worker in slot 2", func() bool {
		now := livingWorkers(t, c)
		return len(now) == 3 && now[2] != pid
	})
	words := ""
	for _, change := range s.seen() {
		words += change.What + "\n"
	}
	if !strings.Contains(words, "has ended") || !strings.Contains(words, "worker 2 (pid") {
		t.Errorf("changes:\n%s", words)
	}
}

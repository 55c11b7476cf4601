package cluster

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

func programs(workers int) Config {
	conf := config(workers, "reuseport", 0)
	conf.Exec = []string{os.Args[0], programArg}
	conf.Restart.MinUptime = units.Duration(200 * time.Millisecond)
	return conf
}

// What waits in the listener of a program is served by its successor, or by itself
// if it has none and is asked to go.
func TestProgramsLeaveNobodyWaiting(t *testing.T) {
	const clients = 40
	for _, c := range []struct {
		how string
		do  func(*fixture) error
	}{
		{"crash", func(f *fixture) error {
			f.signal(f.id(2), "SIGKILL")
			return nil
		}},
		{"reload, start-first", func(f *fixture) error { return f.Reload(f.t.Context()) }},
		{"reload, stop-first", func(f *fixture) error { return f.Reload(f.t.Context()) }},
		{"scale down", func(f *fixture) error {
			thawed := f.id(2)
			scaled := make(chan error, 1)
			go func() { scaled <- f.Scale(f.t.Context(), 1) }()
			f.await("the program to be asked", func(s Status) bool { return len(s.Workers) == 1 })
			f.signal(thawed, "SIGCONT")
			return <-scaled
		}},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			conf := programs(2)
			switch c.how {
			case "reload, stop-first":
				conf.Reload.Order = "stop-first"
				fallthrough
			case "reload, start-first":
				conf.KillTimeout = units.Duration(time.Second) // the frozen one does not hear
			}
			f := start(t, masterOptions{Config: conf})
			f.freeze(f.id(2))
			waiting := f.waiting(clients)
			if err := c.do(f); err != nil {
				t.Fatal(err)
			}
			for _, conn := range waiting {
				if a, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || a.StatusCode != http.StatusOK {
					t.Errorf("a client got %v, %v", a, err)
				}
			}
		})
	}
}

// Where nobody is to come any more nobody is kept waiting.
func TestProgramsWithoutASuccessorResetWhatWaits(t *testing.T) {
	t.Parallel()
	conf := programs(2)
	conf.Restart.When = "never"
	f := start(t, masterOptions{Config: conf})
	victim := f.id(2)
	f.freeze(victim)
	waiting := f.waiting(40)
	f.signal(victim, "SIGKILL")
	reset := 0
	for _, conn := range waiting {
		switch _, err := http.ReadResponse(bufio.NewReader(conn), nil); {
		case errors.Is(err, syscall.ECONNRESET):
			reset++
		case err != nil:
			t.Errorf("a client got %v", err)
		}
	}
	if reset == 0 {
		t.Error("no client waited for the one that ended")
	}
	ctx, cancel := timeout()
	defer cancel()
	for range 20 {
		if a := <-f.burst(ctx, 1); a.err != nil {
			t.Errorf("later: %v", a.err)
		}
	}
}

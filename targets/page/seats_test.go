package page

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hachaos/hachaos/targets/proc"
)

// created is a new page, closed when the test ends.
func created(t *testing.T) (path string, p *Page) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "page")
	p, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return path, p
}

// another is the page as one more process sees it.
func another(t *testing.T, path string) *Page {
	t.Helper()
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// dead names a process that has ended.
func dead(t *testing.T) proc.ID {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return proc.ID{PID: cmd.Process.Pid, Started: 1}
}

func TestWhatTheDeadCountIsLeftOut(t *testing.T) {
	path, first := created(t)
	_, e := first.Add(1, 1, 1, 0)
	e.Start(proc.ID{PID: 4711})
	second := another(t, path)
	same := second.Resume()[0]
	first.Beside(e).Add(2)
	second.Beside(same).Add(3)
	check := func(when string, want int64) {
		t.Helper()
		if got := first.InFlight(e); got != want {
			t.Errorf("%s: %d requests are in flight, want %d", when, got, want)
		}
		if got := second.Processes()[0].InFlight; got != want {
			t.Errorf("%s: a list says that %d requests are in flight, want %d", when, got, want)
		}
	}
	check("beside each other", 5)
	seat := &first.seats[first.seat]
	mine := seat.born.Load()
	seat.born.Store(mine + 1) // that process has ended, and its pid is another's
	check("after the death of one", 3)
	seat.born.Store(mine)
	gone := dead(t)
	seat.pid.Store(int64(gone.PID))
	seat.born.Store(gone.Started)
	check("after the death of one", 3)
	// The next one begins at none, in the same place.
	third := another(t, path)
	if n := third.Beside(third.Resume()[0]); n.Load() != 0 || third.seat != first.seat {
		t.Errorf("who comes next begins at %d in seat %d", n.Load(), third.seat)
	}
	check("after the next one came", 3)
	third.Beside(same).Add(1)
	check("when that counts", 4)
	first.Add(1, 2, 1, 0)
	for range capacity { // until the entry is used again
		e.End(proc.Exit{})
		if _, next := first.Add(1, 2, 1, 0); next == e {
			break
		}
	}
	if n := first.InFlight(e); n != 0 {
		t.Errorf("a new process begins with %d requests in flight", n)
	}
}

// Who finds no seat counts as the process itself does: too much at worst.
func TestSeatsAreBounded(t *testing.T) {
	path, p := created(t)
	_, e := p.Add(1, 1, 1, 0)
	e.Start(proc.ID{PID: 4711})
	for range seats + 1 {
		other := another(t, path)
		other.Beside(other.Resume()[0]).Add(1)
	}
	if n := p.InFlight(e); n != seats+1 || e.InFlight.Load() != 1 {
		t.Errorf("%d requests are in flight, %d of those who found no seat", n, e.InFlight.Load())
	}
}

//go:build unix

package page

import (
	"testing"

	"github.com/hachaos/hachaos/targets/proc"
)

// Workers that have outlived a master count on in the page that they know.
func TestNewPageIsNobodyElses(t *testing.T) {
	path, first := created(t)
	_, e := first.Add(1, 1, 1, 0)
	e.Start(proc.ID{PID: 1})
	e.InFlight.Add(1)
	next, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if all := next.Processes(); len(all) != 0 {
		t.Errorf("a new page lists %+v", all)
	}
	_, anew := next.Add(1, 1, 1, 0)
	anew.Start(proc.ID{PID: 2})
	e.InFlight.Add(-1)
	e.Served.Add(1)
	if p := anew.Process(); p.InFlight != 0 || p.Served != 0 {
		t.Errorf("a new process begins with %+v", p)
	}
}

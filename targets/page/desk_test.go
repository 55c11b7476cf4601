package page

import (
	"slices"
	"testing"
)

func TestDesksAreAddedUp(t *testing.T) {
	path, first := created(t)
	here, second := first.Desk(), another(t, path)
	there := second.Desk()
	here.Mine(Waiting).Add(2)
	there.Mine(Waiting).Add(3)
	there.Mine(Conns).Add(1)
	for _, d := range []*Desk{here, there} {
		if n := d.All(Waiting); n != 5 {
			t.Errorf("%d wait, want 5", n)
		}
		if d.Exceeds(Waiting, 5) || !d.Exceeds(Waiting, 4) {
			t.Error("5 are more than 5, or not more than 4")
		}
		d.Again.Add(1)
		d.Sent(1024).Requests.Add(1)
		d.Sent(3).Failures.Add(1)
	}
	if n := there.Again.Load(); n != 2 || here.Sent(1024).Requests.Load() != 2 || !slices.Equal(there.Slots(), []int{3, 1024}) {
		t.Errorf("%d were sent again; the slots are %v", n, there.Slots())
	}
	// What one holds goes with it, what has happened stays.
	gone := dead(t)
	seat := &first.seats[second.seat]
	seat.pid.Store(int64(gone.PID))
	seat.born.Store(gone.Started)
	if n := here.All(Waiting); n != 2 || here.Exceeds(Waiting, 2) {
		t.Errorf("%d wait after the death of one, want 2", n)
	}
	third := another(t, path)
	if d := third.Desk(); third.seat != second.seat || d.Mine(Waiting).Load() != 0 || d.All(Waiting) != 2 || d.Again.Load() != 2 {
		t.Errorf("who comes next begins in seat %d with %d", third.seat, d.Mine(Waiting).Load())
	}
}

func TestDeskWithoutASeat(t *testing.T) {
	path, p := created(t)
	for range seats {
		another(t, path).Desk().Mine(Conns).Add(1)
	}
	d := p.Desk() // it counts for itself, and sees the others
	d.Mine(Conns).Add(1)
	if n := d.All(Conns); n != seats+1 || !d.Exceeds(Conns, seats) {
		t.Errorf("%d are open", n)
	}
	alone := NewDesk()
	alone.Mine(Conns).Add(1)
	if n := alone.All(Conns); n != 1 || alone.Exceeds(Conns, 1) || !alone.Exceeds(Conns, 0) {
		t.Errorf("alone it has %d", n)
	}
}

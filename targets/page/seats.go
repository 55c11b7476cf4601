package page

import (
	"os"
	"sync/atomic"

	"github.com/hachaos/hachaos/targets/proc"
)

// seats is how many processes can count beside others, or at a desk that others
// see, at a time.
const seats = 16

// seat says whose one of the counters is that each entry has for others.
type seat struct{ pid, born atomic.Int64 } // proc.ID

// beingTaken is the pid of a seat that is nobody's any more, and about to be
// somebody's.
const beingTaken = -1

// lives tells whether the process lives that has the seat.
func (s *seat) lives() bool {
	return proc.Alive(proc.ID{PID: int(s.pid.Load()), Started: s.born.Load()})
}

// Beside is where this process counts the requests that it has with another one
// that counts none itself. They are left out of account once this process has
// ended, however it did.
func (p *Page) Beside(e *Entry) *atomic.Int64 {
	seat := p.sit()
	if seat < 0 {
		return &e.InFlight
	}
	return &e.beside[seat]
}

// sit returns the index of this process's seat; -1 if there was none for it.
func (p *Page) sit() int {
	p.once.Do(func() { p.seat, p.seated = p.takeSeat(), true })
	return p.seat
}

// takeSeat returns the index of a seat that nobody living has; -1 if there is
// none.
func (p *Page) takeSeat() int {
	self, err := proc.Lookup(os.Getpid())
	if err != nil {
		return -1
	}
	for i := range p.seats {
		s := &p.seats[i]
		last := s.pid.Load()
		if last == beingTaken || s.lives() || !s.pid.CompareAndSwap(last, beingTaken) {
			continue
		}
		for j := range p.entries {
			if n := &p.entries[j].beside[i]; n.Load() != 0 {
				n.Store(0)
			}
		}
		for j := range p.desks[i].counts {
			p.desks[i].counts[j].Store(0)
		}
		s.born.Store(self.Started)
		s.pid.Store(int64(self.PID))
		return i
	}
	return -1
}

// InFlight is how many requests a process works on, with those that others that
// live count beside it.
func (p *Page) InFlight(e *Entry) int64 { return e.inFlight((*seat).lives, &p.seats) }

// inFlight adds up what is counted by those who live.
func (e *Entry) inFlight(lives func(*seat) bool, all *[seats]seat) int64 {
	n := e.InFlight.Load()
	for i := range e.beside {
		if beside := e.beside[i].Load(); beside != 0 && lives(&all[i]) {
			n += beside
		}
	}
	return n
}

// remembered is lives that looks once at each seat.
func remembered() func(*seat) bool {
	looked := map[*seat]bool{}
	return func(s *seat) bool {
		alive, ok := looked[s]
		if !ok {
			alive = s.lives()
			looked[s] = alive
		}
		return alive
	}
}

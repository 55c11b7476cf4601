//go:build unix

package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hachaos/hachaos/targets/page"
)

// followEvery is the time between two looks at the page for workers.
const followEvery = 10 * time.Millisecond

// active is what a standby accepts with beside its master. Both have the one
// listener: no connection waits for the one of them that is frozen or dead, as it
// would in a listener of its own. Which workers there are it reads in the page,
// since their wires are the master's; to hand them connections it has wires of its
// own, of which the master gives each worker the other end.
type active struct {
	dispatch dispatcher
	page     *page.Page
	exec     bool                         // workers are other programs
	greet    func(*member) (*wire, error) // reaches a worker; nil: by its port

	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	known map[*page.Entry]*followed
}

// followed is a worker for as long as it lives: one that rests comes back.
type followed struct {
	*member
	away bool
}

// newActive begins to accept.
func (s *standbyProcess) newActive() (*active, error) {
	a := &active{page: s.estate.page, exec: len(s.Config.Exec) > 0, known: map[*page.Entry]*followed{}}
	if s.Config.Dispatch == "handoff" {
		h, err := newHandoff(s.estate.ln, s.Config, s.Second, s.estate.page.Desk(), s.log)
		if err != nil {
			return nil, err
		}
		a.dispatch, a.greet = h, s.introduce
	} else {
		p, err := newProxy(s.estate.ln, s.Config, &s.estate.secrets, s.estate.page.Requests(0), s.estate.page.Desk(), s.Seed, s.log)
		if err != nil {
			return nil, err
		}
		if s.estate.admin != nil && !a.exec {
			p.own.Store(askMaster(s.estate.admin.Addr().String()))
		}
		a.dispatch = p
	}
	a.begin()
	a.dispatch.open()
	return a, nil
}

// beside returns what a proxy goes on with whose workers are another master's.
func (m *master) beside(p *proxy) *active {
	a := &active{dispatch: p, page: m.page, exec: len(m.Config.Exec) > 0, known: map[*page.Entry]*followed{}}
	for w := range m.living {
		if w.member != nil {
			a.known[w.entry] = &followed{w.member, w.state != Serving}
		}
	}
	a.begin()
	return a
}

// begin keeps the dispatcher's workers those that are ready, until yield.
func (a *active) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.look()
	a.wg.Go(func() { a.follow(ctx) })
}

func (a *active) follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.look()
		case <-ctx.Done():
			return
		}
	}
}

func (a *active) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.page.Resume() {
		w := e.Process()
		there := w.Slot > 0 && w.Ended == 0
		takes := there && w.Ready && (w.Port != 0 || a.greet != nil)
		switch f := a.known[e]; {
		case takes && f == nil:
			m := &member{entry: e, slot: w.Slot, life: w.Life, port: w.Port}
			if a.exec {
				m.beside = a.page.Beside(e)
			}
			a.known[e] = &followed{member: m}
			a.reach(m)
		case takes && f.away:
			f.away, f.member.port = false, w.Port // it may have had none yet
			a.dispatch.join(f.member)
		case !takes && f != nil && !f.away:
			f.away = true
			a.dispatch.leave(f.member)
		}
		if !there {
			delete(a.known, e)
		}
	}
}

// reach lets the dispatcher send to a worker, once that can be reached.
func (a *active) reach(m *member) {
	if a.greet == nil {
		a.dispatch.join(m)
		return
	}
	w, err := a.greet(m)
	if err != nil { // the master has ended, and another one will reach it
		delete(a.known, m.entry)
		return
	}
	a.dispatch.(*handoff).attend(m, w, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if f := a.known[m.entry]; f != nil && f.member == m {
			delete(a.known, m.entry) // if it is there still, it is tried again
		}
	})
}

// introduce sends the other end of a wire to a worker by way of the master.
func (s *standbyProcess) introduce(m *member) (*wire, error) {
	ours, theirs, err := wirePair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := s.wire.send(frame{kind: introduce, x: uint32(m.slot), n: uint64(m.life)}, int(theirs.Fd())); err != nil {
		ours.close()
		return nil, err
	}
	return ours, nil
}

// yield stops following: somebody else tells the dispatcher of workers from now
// on, and then calls forget.
func (a *active) yield() {
	a.cancel()
	a.wg.Wait()
}

// reached returns the workers to which it has wires of its own, whether they have
// said hello yet or not: a worker that were known twice would be handed twice as
// much, also while it rests.
func (a *active) reached() map[*page.Entry]*member {
	if a.greet == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	reached := map[*page.Entry]*member{}
	for e, f := range a.known {
		reached[e] = f.member
	}
	return reached
}

// forget lets go of the workers that were found in the page, but for those that
// their new master has taken over as they are.
func (a *active) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.greet == nil {
		for _, f := range a.known {
			a.dispatch.leave(f.member)
		}
	}
	clear(a.known)
}

// end answers what is owed, or hands it over, and ends the dispatcher. Where the
// cluster goes on nobody is turned away: connections that have reached no worker
// are given back to the master.
func (a *active) end(patience time.Duration, goesOn bool, back *wire) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h, lines := a.dispatch.(*handoff)
	switch {
	case !goesOn:
		a.dispatch.drain(ctx)
	case lines:
		until, _ := ctx.Deadline()
		h.surrender(ctx, func(fd int) error { return back.push(frame{kind: handed}, fd, until) })
	default:
		a.dispatch.(*proxy).pass(ctx)
	}
	a.yield()
	a.dispatch.close()
}

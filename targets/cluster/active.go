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

// active is the proxy of a standby that accepts beside its master. Both have the
// one listener: no connection waits for the one of them that is frozen or dead,
// as it would in a listener of its own. Which workers there are it reads in the
// page, since their wires are the master's.
type active struct {
	proxy  *proxy
	exec   bool // workers are other programs
	cancel context.CancelFunc
	wg     sync.WaitGroup
	known  map[*page.Entry]*member
}

// newActive begins to accept.
func (s *standbyProcess) newActive() (*active, error) {
	p, err := newProxy(s.estate.ln, s.Config, &s.estate.secrets, s.estate.page.Requests(0), s.Seed, s.log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &active{proxy: p, exec: len(s.Config.Exec) > 0, cancel: cancel, known: map[*page.Entry]*member{}}
	a.look(s.estate.page)
	a.wg.Go(func() { a.follow(ctx, s.estate.page) })
	p.open()
	return a, nil
}

// follow keeps the proxy's workers those that are ready.
func (a *active) follow(ctx context.Context, p *page.Page) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.look(p)
		case <-ctx.Done():
			return
		}
	}
}

func (a *active) look(p *page.Page) {
	for _, e := range p.Resume() {
		w := e.Process()
		takes := w.Slot > 0 && w.Ready && w.Ended == 0 && w.Port != 0
		switch m := a.known[e]; {
		case takes && m == nil:
			m = &member{entry: e, slot: w.Slot, port: w.Port, foreign: a.exec}
			a.known[e] = m
			a.proxy.join(m)
		case !takes && m != nil:
			delete(a.known, e)
			a.proxy.leave(m)
		}
	}
}

// yield stops following: somebody else tells the proxy of workers from now on,
// and then calls forget.
func (a *active) yield() {
	a.cancel()
	a.wg.Wait()
}

// forget lets go of the workers that were found in the page.
func (a *active) forget() {
	for _, m := range a.known {
		a.proxy.leave(m)
	}
	clear(a.known)
}

// end answers what is owed and ends the proxy.
func (a *active) end(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a.proxy.drain(ctx)
	a.yield()
	a.proxy.close()
}

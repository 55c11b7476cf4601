package app

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Processor is a fixed number of tokens: CPU work holds one, so that no more
// of it runs at once. There are two waiting lines, one for connections that have
// just come and one for requests on connections that are open already. Each
// keeps its order, and they are served in turn: in a single line the many
// requests of kept connections would let a new connection in only once a round.
type Processor struct {
	busy *atomic.Int64 // tokens in use, where others can see it

	// released, unless nil, is called after each release.
	released func()

	mu    sync.Mutex
	free  int
	lines [2][]chan struct{} // a closed channel has got the token
	turn  int                // the line that is served next if both have somebody
}

// The lines of a Processor.
const (
	arrivals = iota
	requests
)

// NewProcessor returns a processor of n tokens that shows in busy how many are
// in use.
func NewProcessor(n int, busy *atomic.Int64) *Processor {
	return &Processor{free: max(n, 1), busy: busy}
}

// Acquire waits for a token, or for the end of ctx, whose error it returns.
func (p *Processor) Acquire(ctx context.Context) error { return p.wait(ctx, requests) }

// Arrive waits for a token on behalf of a connection that has not been read
// yet: work is taken in only where it can start at once. The arrival holds the
// token until its first request either works with it or turns out to need none.
func (p *Processor) Arrive(ctx context.Context) (*Arrival, error) {
	if err := p.wait(ctx, arrivals); err != nil {
		return nil, err
	}
	return &Arrival{processor: p}, nil
}

func (p *Processor) wait(ctx context.Context, line int) error {
	p.mu.Lock()
	if p.free > 0 {
		p.free--
		p.busy.Add(1)
		p.mu.Unlock()
		return nil
	}
	got := make(chan struct{})
	p.lines[line] = append(p.lines[line], got)
	p.mu.Unlock()
	select {
	case <-got:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.lines[line], got)
	if i >= 0 {
		p.lines[line] = slices.Delete(p.lines[line], i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		p.Release() // it had come at the last moment
	}
	return ctx.Err()
}

// OnRelease sets what is called after each release, by whoever releases. It is
// to be set before the processor is used.
func (p *Processor) OnRelease(f func()) { p.released = f }

// Release gives a token back: to whoever is next.
func (p *Processor) Release() {
	p.pass()
	if p.released != nil {
		p.released()
	}
}

func (p *Processor) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := p.turn
	if len(p.lines[line]) == 0 {
		line = 1 - line
	}
	if len(p.lines[line]) == 0 {
		p.free++
		p.busy.Add(-1)
		return
	}
	close(p.lines[line][0])
	p.lines[line][0] = nil // or the array would keep it
	p.lines[line] = p.lines[line][1:]
	p.turn = 1 - line
}

// Arrival is a token in the hand of a new connection. The nil Arrival holds
// none.
type Arrival struct {
	processor *Processor
	room      atomic.Pointer[room] // in which it has a place
	state     atomic.Int32
}

// An arrival's token passes from the connection to the request and is given
// back once, whoever comes first.
const (
	unread = iota // the request is not read whole
	read
	ended
)

// Unread tells whether the token is held for a request that is not read whole.
func (a *Arrival) Unread() bool { return a != nil && a.state.Load() == unread }

// Blocked gives the token back if the request is not read whole and the client
// lets the server wait for the rest.
func (a *Arrival) Blocked() {
	if a != nil && a.state.CompareAndSwap(unread, ended) {
		a.processor.Release()
		a.takePlace().leave()
	}
}

// Read says that the request was read whole: waiting for more from the client
// does not give the token back from now on.
func (a *Arrival) Read() {
	if a != nil {
		a.state.CompareAndSwap(unread, read)
	}
}

// End gives back the token, and the place, if they are still there.
func (a *Arrival) End() {
	if a.take() {
		a.processor.Release()
	}
	a.takePlace().leave()
}

// take passes the token to the caller, who has to release it; false if it is
// gone.
func (a *Arrival) take() bool { return a != nil && a.state.Swap(ended) != ended }

type arrivalKey struct{}

// arrivalOf returns the arrival that came with a request's connection.
func arrivalOf(ctx context.Context) *Arrival {
	a, _ := ctx.Value(arrivalKey{}).(*Arrival)
	return a
}

package app

import (
	"context"
	"sync/atomic"
)

// Processor is a fixed number of tokens: CPU work holds one, so that no more
// of it runs at once. Those who wait get them in the order in which they came.
type Processor struct {
	tokens chan struct{}
	busy   *atomic.Int64 // tokens in use, where others can see it
}

// NewProcessor returns a processor of n tokens that shows in busy how many are
// in use.
func NewProcessor(n int, busy *atomic.Int64) *Processor {
	return &Processor{tokens: make(chan struct{}, max(n, 1)), busy: busy}
}

// Acquire waits for a token, or for the end of ctx, whose error it returns.
func (p *Processor) Acquire(ctx context.Context) error {
	select {
	case p.tokens <- struct{}{}:
		p.busy.Add(1)
		return nil
	default:
	}
	select {
	case p.tokens <- struct{}{}:
		p.busy.Add(1)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release gives a token back.
func (p *Processor) Release() {
	p.busy.Add(-1)
	<-p.tokens
}

// Arrive waits for a token on behalf of a connection that has not been read
// yet: work is taken in only where it can start at once. The arrival holds the
// token until its first request either works with it or turns out to need none.
func (p *Processor) Arrive(ctx context.Context) (*Arrival, error) {
	if err := p.Acquire(ctx); err != nil {
		return nil, err
	}
	return &Arrival{processor: p}, nil
}

// Arrival is a token in the hand of a new connection. The nil Arrival holds
// none.
type Arrival struct {
	processor *Processor
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
	}
}

// Read says that the request was read whole: waiting for more from the client
// does not give the token back from now on.
func (a *Arrival) Read() {
	if a != nil {
		a.state.CompareAndSwap(unread, read)
	}
}

// End gives the token back, if it is still there.
func (a *Arrival) End() {
	if a.take() {
		a.processor.Release()
	}
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

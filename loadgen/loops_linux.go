package loadgen

import (
	"context"
	"runtime"
	"sync"
)

const (
	// lanesPerLoop is from how many clients on another loop is worth its while.
	lanesPerLoop = 16
	// ratePerLoop is what one loop can send a second, with some to spare.
	ratePerLoop = 40_000
)

// loops returns what plays the stream from a few goroutines; nil if it needs one
// for every connection: loops speak plain HTTP/1.1.
func (g *Generator) loops() []*loop {
	e, ok := g.engine.(*httpEngine)
	if !ok || e.tls != nil || e.tunnel != nil || e.trace != nil || !e.retry {
		return nil
	}
	count := 0
	if c := g.stream.Closed; c != nil {
		count = c.Concurrency / lanesPerLoop
	} else {
		count = int(peakRate(g.stream.Open) / ratePerLoop)
		count = min(count+1, g.stream.Open.Senders)
	}
	loops, err := e.newLoops(g.ctx, max(1, min(count, runtime.GOMAXPROCS(0))))
	if err != nil {
		return nil
	}
	return loops
}

func (e *httpEngine) newLoops(ctx context.Context, count int) ([]*loop, error) {
	loops := make([]*loop, count)
	for i := range loops {
		l, err := newLoop(ctx, e.dialer, laneFlags{keepalive: e.keepalive, observed: e.observed})
		if err != nil {
			all(loops[:i], (*loop).close)
			return nil, err
		}
		loops[i] = l
	}
	return loops, nil
}

// runLoops plays the stream.
func (g *Generator) runLoops(ctx context.Context, loops []*loop) {
	g.monitor.procs.Store(int64(len(loops)))
	var playing, watching sync.WaitGroup
	ended := make(chan struct{})
	watching.Go(func() {
		spent, stopping := g.spent, g.stopping
		for {
			select {
			case <-spent:
				spent = nil
				all(loops, (*loop).halt)
			case <-stopping:
				stopping = nil
				all(loops, (*loop).halt)
			case <-ctx.Done():
				all(loops, (*loop).abort)
				return
			case <-ended:
				return
			}
		}
	})
	for i, l := range loops {
		if g.stream.Closed != nil {
			l.source = newClosedSource(g, l, i, len(loops))
		} else {
			l.source = newOpenSource(g, l, i, len(loops))
		}
		playing.Go(l.run)
	}
	playing.Wait()
	close(ended)
	watching.Wait()
}

func all(loops []*loop, do func(*loop)) {
	for _, l := range loops {
		do(l)
	}
}

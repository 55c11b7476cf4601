package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// runClosed lets each client send, wait for the answer, and send again.
func (g *Generator) runClosed(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range g.stream.Closed.Concurrency {
		wg.Go(func() { g.runClient(ctx, i) })
	}
	wg.Wait()
}

func (g *Generator) runClient(ctx context.Context, i int) {
	var (
		c       = g.newClient()
		shard   = g.recorder.shard(i)
		picker  = newPicker(g.requests, g.seed, uint64(i))
		timeout = g.stream.Timeout.Std()
		think   = g.stream.Closed.Think.Std()
		pause   = g.stream.FailurePause.Std()
		timer   = time.NewTimer(time.Hour)
		o       outcome
	)
	defer c.close()
	defer timer.Stop()
	if !g.rest(ctx, timer, g.turn(i).Sub(clock.Now())) {
		return
	}
	for now := clock.Now(); g.mayStart(now); {
		o.start, o.sent = now, now
		shard.begin(now)
		c.do(picker.pick(), now.Add(timeout), &o)
		if o.cause != CauseNone && g.abandoned() {
			return
		}
		shard.record(&o)
		rest := think
		if o.cause != CauseNone {
			rest = max(think, pause)
		}
		if rest > 0 && (o.done.Add(rest) >= g.end || !g.rest(ctx, timer, rest)) {
			return
		}
		now = clock.Now()
	}
}

// turn is when a client begins: client i of n at i/n of the ramp-up.
func (g *Generator) turn(i int) clock.Time {
	c := g.stream.Closed
	if c.RampUp <= 0 || i == 0 {
		return 0
	}
	return g.epoch.Add(time.Duration(float64(c.RampUp) * float64(i) / float64(c.Concurrency)))
}

// rest waits, and returns false if no request will be begun any more.
func (g *Generator) rest(ctx context.Context, timer *time.Timer, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer.Reset(d)
	select {
	case <-timer.C:
		return true
	case <-g.spent:
	case <-g.stopping:
	case <-ctx.Done():
	}
	return false
}

// mayStart tells whether a request may begin now, and if so counts it.
func (g *Generator) mayStart(now clock.Time) bool {
	if now >= g.end || g.stopped.Load() {
		return false
	}
	if g.stream.Count > 0 && now >= g.epoch {
		n := g.begun.Add(1)
		if n == g.stream.Count {
			close(g.spent)
		}
		return n <= g.stream.Count
	}
	return true
}

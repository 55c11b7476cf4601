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
	for now := clock.Now(); g.mayStart(now); {
		o.start, o.sent = now, now
		c.do(picker.pick(), now.Add(timeout), &o)
		if o.cause != CauseNone && g.abandoned() {
			return
		}
		shard.record(&o)
		rest := think
		if o.cause != CauseNone {
			rest = max(think, pause)
		}
		now = o.done
		if rest > 0 {
			if now.Add(rest) >= g.end {
				return
			}
			timer.Reset(rest)
			select {
			case <-timer.C:
			case <-g.stopping:
				return
			case <-ctx.Done():
				return
			}
			now = clock.Now()
		}
	}
}

// mayStart tells whether a request may begin now, and if so counts it.
func (g *Generator) mayStart(now clock.Time) bool {
	if now >= g.end || g.stopped.Load() {
		return false
	}
	if g.stream.Count > 0 && now >= g.epoch {
		return g.begun.Add(1) <= g.stream.Count
	}
	return true
}

package loadgen

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hachaos/hachaos/loadgen/clock"
)

const (
	// lanesPerLoop is from how many clients on another loop is worth its while.
	lanesPerLoop = 16
	// ratePerLoop is what one loop can send a second, with some to spare.
	ratePerLoop = 40_000
)

// loops returns what plays the stream from a few goroutines until ctx ends; nil
// if it needs one for every connection: loops speak plain HTTP/1.1.
func (g *Generator) loops(ctx context.Context) []*loop {
	e, ok := g.engine.(*httpEngine)
	if !ok || e.tls != nil || e.tunnel != nil || e.trace != nil || !e.retry {
		return nil
	}
	count := 0
	if c := g.stream.Closed; c != nil {
		count = c.Concurrency / lanesPerLoop
	} else {
		// Loops do not share their slots, so each must have several.
		count = min(int(peakRate(g.stream.Open)/ratePerLoop)+1, g.stream.Open.Senders/lanesPerLoop)
	}
	// One processor stays for the rest of the process, if there are several.
	loops, err := e.newLoops(ctx, max(1, min(count, runtime.GOMAXPROCS(0)-1)))
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
	if g.stopped.Load() || ctx.Err() != nil {
		all(loops, (*loop).close)
		return
	}
	var playing, watching sync.WaitGroup
	ended := make(chan struct{})
	watching.Go(func() {
		select {
		case <-g.spent:
		case <-g.stopping:
		case <-ended:
		}
		all(loops, (*loop).halt)
	})
	begin := clock.Now()
	for i, l := range loops {
		if g.stream.Closed != nil {
			l.source = newClosedSource(g, l, i, len(loops))
		} else {
			l.source = newOpenSource(g, l, i, len(loops), begin)
		}
		playing.Go(func() { g.alone(l.run) })
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

// alone runs a loop on a thread of its own, whose processor time can be told from
// what else the process does, and whose waits end when they are due.
func (g *Generator) alone(run func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The default lets the kernel put a wake-up off by 50 µs. It fails nowhere.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	defer unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0)
	t := threadClock{id: int32(^unix.Gettid()<<3 | 6)}
	g.monitor.add(t.read)
	defer t.stop()
	run()
}

// threadClock tells the processor time of a thread, from any other one, until it
// is stopped: the thread may end then.
type threadClock struct {
	mu      sync.Mutex
	id      int32 // as the kernel numbers the clock of a thread; see clock_getcpuclockid(3)
	stopped bool
	last    time.Duration
}

func (t *threadClock) read() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var now unix.Timespec
	if !t.stopped && unix.ClockGettime(t.id, &now) == nil {
		t.last = time.Duration(now.Nano())
	}
	return t.last
}

func (t *threadClock) stop() {
	t.read()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

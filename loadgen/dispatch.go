package loadgen

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// dispatcher hands requests of open load to senders when they are due.
//
// The line of requests that wait for a slot is the schedule itself, not yet
// asked for: memory does not depend on its length. A sender that has finished
// takes the next due request itself; only what becomes due while a sender is
// idle is handed over by the dispatcher, to the one that was busy last, so that
// few connections are used.
type dispatcher struct {
	g       *Generator
	alarm   *alarm
	timeout time.Duration
	bound   int // of senders

	mu     sync.Mutex
	line   line
	idle   []*sender
	count  int  // of senders
	starve bool // a request is due and no slot is free
	over   bool // nothing is to be sent any more
	closed bool // so is the alarm
	wg     sync.WaitGroup
}

// sender is a slot: it sends one request at a time.
type sender struct {
	client client
	shard  *shard
	hits   chan hit
	freed  clock.Time // when it had finished its last request
}

// hit is a request that is due, and the sender's order to send it.
type hit struct {
	due   clock.Time
	ready clock.Time // max(due, when its slot was free)
	free  bool       // the slot was free when it was due
	q     *request
}

func newDispatcher(g *Generator) (*dispatcher, error) {
	a, err := newAlarm()
	if err != nil {
		return nil, fmt.Errorf("open load needs a timer: %w", err)
	}
	return &dispatcher{g: g, alarm: a, timeout: g.stream.Timeout.Std(), bound: g.stream.Open.Senders}, nil
}

// run sends until the schedule is over and nothing is in flight, or ctx ends.
// Requests that are due by then and wait in line are in flight.
func (d *dispatcher) run(ctx context.Context) {
	d.line = newLine(d.g, clock.Now())
	unhook := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.over = true
		d.wake()
	})
	for d.dispatch() {
		d.alarm.wait()
	}
	d.wg.Wait()
	unhook()
	d.mu.Lock() // the hook and stop may still run
	defer d.mu.Unlock()
	d.closed = true
	d.alarm.close()
}

// stop ends the schedule now.
func (d *dispatcher) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.line.cut(clock.Now())
	d.wake()
}

// wake lets the dispatcher look again. d.mu is held.
func (d *dispatcher) wake() {
	if !d.closed {
		d.alarm.set(0)
	}
}

// dispatch hands over what is due and sets the alarm to when it must be called
// again. false: everything has been handed over.
func (d *dispatcher) dispatch() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.over {
		due, ok := d.line.peek()
		if !ok {
			d.over = true
			break
		}
		now := clock.Now()
		if due > now {
			d.starve = false
			d.alarm.set(due)
			return true
		}
		if due.Add(d.timeout) <= now {
			d.expire(now)
			continue
		}
		s := d.slot()
		if s == nil {
			// A sender that finishes takes it; failing that, it times out.
			d.starve = true
			d.alarm.set(due.Add(d.timeout))
			return true
		}
		s.hits <- d.take(s)
	}
	for _, s := range d.idle {
		close(s.hits)
	}
	d.idle = nil
	return false
}

// slot returns an idle sender or a new one; nil if there are as many as may be.
func (d *dispatcher) slot() *sender {
	if n := len(d.idle); n > 0 {
		s := d.idle[n-1]
		d.idle = d.idle[:n-1]
		return s
	}
	if d.count == d.bound {
		return nil
	}
	s := &sender{client: d.g.newClient(), shard: d.g.recorder.shard(d.count), hits: make(chan hit, 1), freed: math.MinInt64}
	d.count++
	d.wg.Go(func() { d.send(s) })
	return s
}

// take removes the first of the line for s.
func (d *dispatcher) take(s *sender) hit {
	due, q := d.line.pop()
	freed := s.freed
	switch {
	case d.count < d.bound:
		freed = math.MinInt64
	case len(d.idle) > 0:
		freed = d.idle[0].freed // idle for longest
	}
	return d.g.hit(due, freed, q)
}

// hit is the order to send q, which was due at a moment, from a slot that was
// free since another.
func (g *Generator) hit(due, freed clock.Time, q *request) hit {
	h := hit{due: due, ready: max(due, freed), free: freed <= due, q: q}
	if g.exhausted() {
		// The slots are full because this process cannot empty them.
		h.ready, h.free = due, true
	}
	return h
}

// expire gives up the first of the line, whose timeout has passed while it
// waited.
func (d *dispatcher) expire(now clock.Time) {
	due, q := d.line.pop()
	d.g.giveUp(d.g.recorder.shard(0), due, now, q, len(d.idle) > 0 || d.count < d.bound)
}

// giveUp records a request whose timeout has passed while it waited in line: the
// target's doing if no slot was free, else the generator's.
func (g *Generator) giveUp(s *shard, due, now clock.Time, q *request, free bool) {
	timeout, bound := g.stream.Timeout.Std(), g.stream.Open.Senders
	o := outcome{start: due, sent: due, done: due.Add(timeout), q: q}
	if free || g.exhausted() {
		o.cause = CauseGenerator
		o.err = fmt.Errorf("the generator was %v late and did not send it", now.Sub(due))
		s.skipped(due)
	} else {
		o.cause = CauseTimeout
		o.err = fmt.Errorf("no answer within %v: it waited for one of %d requests in flight to end", timeout, bound)
	}
	s.begin(due)
	s.record(&o)
}

// send is a sender's goroutine.
func (d *dispatcher) send(s *sender) {
	defer s.client.close()
	var o outcome
	for h := range s.hits {
		for ok := true; ok; h, ok = d.finish(s) {
			o.start, o.sent = h.due, clock.Now()
			s.shard.begin(h.due)
			s.client.do(h.q, h.due.Add(d.timeout), &o)
			if o.cause != CauseNone && d.g.abandoned() {
				// Neither sent nor failed: the run was given up.
				continue
			}
			s.freed = o.done
			s.shard.lagged(h.due, o.sent.Sub(h.ready), h.free)
			s.shard.record(&o)
		}
	}
}

// finish returns the next request for a sender that has finished one; false if
// none is due.
func (d *dispatcher) finish(s *sender) (hit, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.over {
		due, ok := d.line.peek()
		now := clock.Now()
		if !ok || due > now {
			break
		}
		if due.Add(d.timeout) > now {
			return d.take(s), true
		}
		d.expire(now)
	}
	if d.over {
		close(s.hits)
		return hit{}, false
	}
	d.idle = append(d.idle, s)
	if d.starve {
		// It waits for a timeout far off, and there is a slot again.
		d.starve = false
		d.alarm.set(0)
	}
	return hit{}, false
}

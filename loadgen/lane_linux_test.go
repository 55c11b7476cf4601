package loadgen

import (
	"context"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// loopClient is a loop with one lane, which is given one request after the other.
type loopClient struct {
	loop     *loop
	lane     *lane
	q        *request
	deadline clock.Time
	done     bool
}

func newLoopClient(t *testing.T, url string, r Request) (testClient, *request) {
	t.Helper()
	engine, q := newTestEngine(t, url, r, nil)
	c, err := engine.newLoopClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c, q
}

func (e *httpEngine) newLoopClient(ctx context.Context) (*loopClient, error) {
	l, err := newLoop(ctx, e.dialer, laneFlags{keepalive: e.keepalive})
	if err != nil {
		return nil, err
	}
	c := &loopClient{loop: l, lane: l.newLane()}
	l.source = c
	return c, nil
}

func playByLoop(e *httpEngine, q *request) (o outcome) {
	c, err := e.newLoopClient(e.ctx)
	if err != nil {
		return outcome{cause: CauseOther, err: err}
	}
	defer c.close()
	c.do(q, clock.Now().Add(20*time.Second), &o)
	return o
}

func (c *loopClient) do(q *request, deadline clock.Time, o *outcome) {
	c.q, c.deadline, c.done = q, deadline, false
	for c.loop.turn() {
	}
	*o = c.lane.o
}

func (c *loopClient) tend(clock.Time, int) clock.Time {
	if q := c.q; q != nil {
		c.q = nil
		c.lane.begin(q, c.deadline)
		c.loop.advance(c.lane)
	}
	return endOfTime
}

func (c *loopClient) ended(*lane) bool {
	c.done = true
	return false
}

func (c *loopClient) halt()           {}
func (c *loopClient) over() bool      { return c.done }
func (c *loopClient) abort()          { c.loop.cancel(); c.loop.ring() }
func (c *loopClient) close()          { c.loop.close() }
func (c *loopClient) connected() bool { return c.lane.fd >= 0 }

package loadgen

import (
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// Loops that share an open load send each of its requests once, when it is due,
// whichever of them began a little later than the others.
func TestLoopsShareOneSchedule(t *testing.T) {
	const count = 503
	var mu sync.Mutex
	var starts []time.Duration
	rec := playByLoops(t, 3, Options{
		URL: serve(t, always(answer)), Epoch: clock.Now().Add(100 * time.Millisecond),
		Stream: Stream{Open: &Open{Rate: 20_000, Senders: 7}, Count: count},
		Observe: func(_ int, r *Result) {
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, r.Start)
		},
	})
	slices.Sort(starts)
	if rec.Sent != count || len(starts) != count {
		t.Fatalf("%d sent, %d observed", rec.Sent, len(starts))
	}
	for i, at := range starts {
		if want := time.Duration(i) * 50 * time.Microsecond; at != want {
			t.Fatalf("request %d was due at %v, not %v", i, at, want)
		}
	}
}

// Loops that share a closed load's clients send its count of requests, together.
func TestLoopsShareTheCount(t *testing.T) {
	const count = 1003
	rec := playByLoops(t, 3, Options{URL: serve(t, always(answer)), Stream: Stream{Closed: &Closed{Concurrency: 20, Keepalive: true}, Count: count}})
	if rec.Sent != count || rec.OK != count {
		t.Errorf("%d sent, %d good", rec.Sent, rec.OK)
	}
}

// playByLoops runs a stream to its end on n loops, however many processors there
// are, and returns its recording, which must add up.
func playByLoops(t *testing.T, n int, o Options) *Recording {
	t.Helper()
	g := newGenerator(t, o)
	loops, err := g.engine.(*httpEngine).newLoops(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	g.runLoops(t.Context(), loops)
	rec := g.Recording()
	mustAddUp(t, rec)
	return rec
}

// Clients whose connections are refused at once do not keep a loop from the end.
func TestLoopIsNotHeldByFailures(t *testing.T) {
	var pause = seconds(0)
	rec := play(t, Options{URL: refusing(t), Stream: Stream{Closed: &Closed{Concurrency: 3}, FailurePause: &pause, Duration: seconds(0.2)}})
	if rec.Failures[CauseRefused] < 3 || rec.OK != 0 {
		t.Errorf("%v", rec.Failures)
	}
}

// An answer that comes byte by byte is read like any other, and one lane that is
// given one does not hold the others.
func TestLoopReadsAnswersInPieces(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Worker: 7\r\n\r\n2\r\nhi\r\n0\r\nX-End: 1\r\n\r\n"
	rec := play(t, Options{Stream: Stream{Closed: &Closed{Concurrency: 3, Keepalive: true}, Count: 30, Requests: []Request{{Expect: Expect{Body: "hi"}}}}, URL: serve(t, func(c *net.TCPConn, n int) {
		for {
			if _, ok := readRequest(c); !ok {
				return
			}
			for i := range len(chunked) {
				if _, err := io.WriteString(c, chunked[i:i+1]); err != nil {
					return
				}
			}
		}
	})})
	if rec.OK != 30 || rec.Workers["7"] != 30 || rec.BytesIn != 30*int64(len(chunked)) {
		t.Errorf("%d good, %d bytes, %v", rec.OK, rec.BytesIn, rec.Examples)
	}
}

// A request that was due while a slot was idle, or could have been opened, was
// not kept waiting by the target, whichever slot takes it.
func TestSlotSince(t *testing.T) {
	l := &loop{}
	busy, idle, later := l.newLane(), l.newLane(), l.newLane()
	for _, c := range []struct {
		bound int
		idle  []*lane
		want  clock.Time
	}{{4, nil, math.MinInt64}, {3, nil, 30}, {3, []*lane{idle, later}, 10}} {
		s := &openSource{loop: l, bound: c.bound, idle: c.idle, freed: []clock.Time{30, 10, 20}}
		if got := s.slotSince(busy); got != c.want {
			t.Errorf("%d idle of at most %d: %v, want %v", len(c.idle), c.bound, got, c.want)
		}
	}
}

package loadgen

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

func TestCountIsExact(t *testing.T) {
	for name, s := range map[string]Stream{
		"kept connections": {Closed: &Closed{Concurrency: 7, Keepalive: true}, Count: 1003},
		"new connections":  {Closed: &Closed{Concurrency: 7}, Count: 303},
		"more clients":     {Closed: &Closed{Concurrency: 20}, Count: 5},
		"open":             {Open: &Open{Rate: 2000, Senders: 5}, Count: 503},
	} {
		t.Run(name, func(t *testing.T) {
			rec := play(t, Options{URL: serve(t, always(answer)), Epoch: clock.Now().Add(100 * time.Millisecond), Stream: s})
			if rec.Sent != s.Count || rec.OK != s.Count || rec.Workers["7"] != s.Count || rec.Statuses[200] != s.Count {
				t.Errorf("%d of %d requests, %d good, workers %v, statuses %v", rec.Sent, s.Count, rec.OK, rec.Workers, rec.Statuses)
			}
			if want := s.Count * int64(len(answer)); rec.BytesIn != want || rec.BytesOut == 0 {
				t.Errorf("%d bytes in, want %d; %d out", rec.BytesIn, want, rec.BytesOut)
			}
			if rec.Engine != "http1" || rec.Start < 0 || rec.End < rec.Start {
				t.Errorf("engine %q, from %v to %v", rec.Engine, rec.Start, rec.End)
			}
		})
	}
}

func TestWarmupIsNotCounted(t *testing.T) {
	for name, s := range map[string]Stream{
		"closed": {Closed: &Closed{Concurrency: 2, Keepalive: true, Think: seconds(0.001)}, Duration: seconds(0.3)},
		"open":   {Open: &Open{Rate: 200}, Duration: seconds(0.3)},
	} {
		t.Run(name, func(t *testing.T) {
			var served atomic.Int64
			g := newGenerator(t, Options{Epoch: clock.Now().Add(300 * time.Millisecond), Stream: s, URL: serve(t, func(c *net.TCPConn, _ int) {
				for {
					if _, ok := readRequest(c); !ok {
						return
					}
					served.Add(1)
					io.WriteString(c, answer)
				}
			})})
			if err := g.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			rec, snap := g.Recording(), g.Snapshot()
			mustAddUp(t, rec)
			if snap.WarmupOK == 0 || snap.WarmupFailed != 0 || snap.WarmupBegun != snap.WarmupOK || snap.WarmupSlowest <= 0 || rec.Sent == 0 || rec.Sent != snap.Sent {
				t.Errorf("%+v, recording %d", snap, rec.Sent)
			}
			if got := served.Load(); got != snap.WarmupOK+rec.OK {
				t.Errorf("the server answered %d, %d + %d were recorded", got, snap.WarmupOK, rec.OK)
			}
			if clock.Now() < g.end {
				t.Errorf("it was over %v too early", g.end.Sub(clock.Now()))
			}
			if rec.Start < 0 || s.Open != nil && (rec.Sent != 60 || rec.Generator.Intended > 60 || rec.Generator.Lag.TotalCount() != 60) {
				t.Errorf("from %v on, sent %d, intended %d", rec.Start, rec.Sent, rec.Generator.Intended)
			}
		})
	}
}

func TestNothingIsSentAfterTheEnd(t *testing.T) {
	// Answers take longer than the stream has left: what is in flight counts.
	release := make(chan bool)
	var served atomic.Int64
	g := newGenerator(t, Options{Stream: Stream{Closed: &Closed{Concurrency: 3}, Duration: seconds(0.2)}, URL: serve(t, func(c *net.TCPConn, _ int) {
		readRequest(c)
		served.Add(1)
		<-release
		io.WriteString(c, answer)
	})})
	ended := make(chan error)
	go func() { ended <- g.Run(t.Context()) }()
	for clock.Now() < g.end {
		time.Sleep(time.Millisecond)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	rec := g.Recording()
	mustAddUp(t, rec)
	if rec.OK != 3 || served.Load() != 3 || rec.End < 200*time.Millisecond {
		t.Errorf("good %d of %d served, the last at %v", rec.OK, served.Load(), rec.End)
	}
	if merged := Merge(rec, rec); rec.Until != 200*time.Millisecond || merged.Until != rec.Until {
		t.Errorf("it was to send until %v, two of it until %v", rec.Until, merged.Until)
	}
}

func TestFailingClosedClientPauses(t *testing.T) {
	pause := seconds(0.05)
	rec := play(t, Options{URL: refusing(t), Stream: Stream{Closed: &Closed{Concurrency: 2}, FailurePause: &pause, Duration: seconds(0.5)}})
	if rec.Failed < 2 || rec.Failed > 2*10 || rec.Failures[CauseRefused] != rec.Failed || rec.Examples[CauseRefused] == "" {
		t.Errorf("%d failures in 0.5 s with a pause of 50 ms: %v %v", rec.Failed, rec.Failures, rec.Examples)
	}
}

// Client i of n begins at i/n of the ramp-up, the first one with the warm-up.
func TestRampUp(t *testing.T) {
	begun := make(chan clock.Time, 4)
	epoch := clock.Now().Add(500 * time.Millisecond)
	rec := play(t, Options{Epoch: epoch, Stream: Stream{Closed: &Closed{Concurrency: 4, Think: seconds(60), RampUp: seconds(0.4)}, Duration: seconds(2)}, URL: serve(t, func(c *net.TCPConn, n int) {
		readRequest(c)
		begun <- clock.Now()
		io.WriteString(c, answer)
	})})
	if rec.OK != 3 || rec.Start < 100*time.Millisecond {
		t.Fatalf("%d good from %v on", rec.OK, rec.Start)
	}
	<-begun // in the warm-up
	for i := 1; i < 4; i++ {
		if due, at := epoch.Add(time.Duration(i)*100*time.Millisecond), <-begun; at < due {
			t.Errorf("client %d began %v before its turn", i, due.Sub(at))
		}
	}
}

// Clients whose turn has not come when all requests are made do not hold the end.
func TestRampUpOfCount(t *testing.T) {
	rec := play(t, Options{Stream: Stream{Closed: &Closed{Concurrency: 10, Keepalive: true, RampUp: seconds(3600)}, Count: 30}, URL: serve(t, always(answer))})
	if rec.OK != 30 {
		t.Errorf("%d good", rec.OK)
	}
}

// A kept connection outlives the deadlines of its requests by far, and none of
// them strikes it while no request is on it.
func TestDeadlineOfEarlierRequest(t *testing.T) {
	for name, s := range map[string]Stream{
		"closed": {Closed: &Closed{Concurrency: 8, Keepalive: true, Think: seconds(0.02)}},
		"open":   {Open: &Open{Rate: 100, Senders: 8}},
	} {
		t.Run(name, func(t *testing.T) {
			s.Duration, s.Timeout = seconds(3), seconds(1)
			rec := play(t, Options{Stream: s, URL: serve(t, always(answer))})
			if rec.Failed != 0 || rec.Retried != 0 || rec.OK < 100 {
				t.Errorf("%d good, %d failed, %d retried: %v", rec.OK, rec.Failed, rec.Retried, rec.Examples)
			}
		})
	}
}

func TestRetriedIsCounted(t *testing.T) {
	// Each connection answers two requests and is closed on the third.
	rec := play(t, Options{Stream: Stream{Closed: &Closed{Concurrency: 1, Keepalive: true}, Count: 20}, URL: serve(t, func(c *net.TCPConn, _ int) {
		for range 2 {
			readRequest(c)
			io.WriteString(c, answer)
		}
		readRequest(c)
	})})
	if rec.OK != 20 || rec.Retried != 9 || len(rec.Cells) == 0 {
		t.Errorf("good %d, retried %d, cells %v", rec.OK, rec.Retried, rec.Cells)
	}
}

func TestStallShowsInLatencyNotInServiceTime(t *testing.T) {
	// The server stops for 600 ms while one request is with each of two
	// senders: the service time of all others stays short, but users waited.
	begun := clock.Now()
	stallFrom, stallTo := begun.Add(500*time.Millisecond), begun.Add(1100*time.Millisecond)
	rec := play(t, Options{Epoch: begun, Stream: Stream{Open: &Open{Rate: 200, Senders: 2}, Duration: seconds(2)}, URL: serve(t, func(c *net.TCPConn, _ int) {
		for {
			if _, ok := readRequest(c); !ok {
				return
			}
			if now := clock.Now(); now >= stallFrom && now < stallTo {
				time.Sleep(stallTo.Sub(now)) // what is tested
			}
			io.WriteString(c, answer)
		}
	})})
	if rec.Sent != 400 || rec.OK != 400 {
		t.Fatalf("sent %d, good %d: %v", rec.Sent, rec.OK, rec.Examples)
	}
	latency, service := rec.Latency.ValueAtPercentile(90), rec.Service.ValueAtPercentile(90)
	if latency < 250_000 || service > 200_000 {
		t.Errorf("p90 of latency %d µs, of service time %d µs", latency, service)
	}
	if rec.Concurrency != 2 || rec.Rate != 200 || rec.Model != "open" {
		t.Errorf("%d senders, %v/s, %s", rec.Concurrency, rec.Rate, rec.Model)
	}
	// What was due meanwhile had no slot: it is no fault of the generator's.
	if rec.Generator.Missed != 0 {
		t.Errorf("missed %d of %d", rec.Generator.Missed, rec.Generator.Intended)
	}
}

func TestWaitingInLineTimesOut(t *testing.T) {
	// The server never answers: two requests are in flight, the others time out
	// in line, each at the moment it was due plus the timeout.
	rec := play(t, Options{URL: serve(t, func(c *net.TCPConn, _ int) { hold(c) }),
		Stream: Stream{Open: &Open{Rate: 100, Senders: 2}, Duration: seconds(0.5), Timeout: seconds(0.3)}})
	if rec.Sent != 50 || rec.Failures[CauseTimeout]+rec.Failures[CauseGenerator] != 50 {
		t.Errorf("sent %d: %v", rec.Sent, rec.Failures)
	}
	for _, c := range rec.Cells {
		if d := c.Finish - c.Start; d < 29 {
			t.Errorf("a request timed out after %d cells", d)
		}
	}
	if rec.Start != 0 || rec.End < 790*time.Millisecond {
		t.Errorf("from %v to %v", rec.Start, rec.End)
	}
}

func TestOpenLoadUsesFewConnections(t *testing.T) {
	var conns atomic.Int64
	rec := play(t, Options{Stream: Stream{Open: &Open{Rate: 100}, Count: 50}, URL: serve(t, func(c *net.TCPConn, n int) {
		conns.Store(int64(n))
		always(answer)(c, n)
	})})
	if rec.OK != 50 || conns.Load() > 40 {
		t.Errorf("%d good over %d connections", rec.OK, conns.Load())
	}
}

func TestCancelAbandons(t *testing.T) {
	for name, s := range map[string]Stream{
		"closed": {Closed: &Closed{Concurrency: 5}, Count: 1000, Timeout: seconds(60)},
		"open":   {Open: &Open{Rate: 500, Senders: 5}, Count: 1000, Timeout: seconds(60)},
		"kept":   {Closed: &Closed{Concurrency: 5, Keepalive: true, Think: seconds(60)}, Count: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			var held atomic.Int64
			ctx, cancel := context.WithCancel(t.Context())
			g := newGenerator(t, Options{Stream: s, URL: serve(t, func(c *net.TCPConn, n int) {
				readRequest(c)
				if s.Closed == nil || !s.Closed.Keepalive {
					if held.Add(1) == 5 {
						cancel()
					}
					hold(c)
					return
				}
				io.WriteString(c, answer)
				if held.Add(1) == 5 {
					cancel()
				}
				hold(c)
			})})
			if err := g.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Run returned %v", err)
			}
			rec := g.Recording()
			mustAddUp(t, rec)
			if rec.Failed != 0 {
				t.Errorf("what was abandoned counts: %v %v", rec.Failures, rec.Examples)
			}
		})
	}
}

func TestStopWaitsForWhatIsInFlight(t *testing.T) {
	for name, s := range map[string]Stream{
		"closed": {Closed: &Closed{Concurrency: 5}, Count: 1000, Timeout: seconds(60)},
		"open":   {Open: &Open{Rate: 500, Senders: 5}, Duration: seconds(60), Timeout: seconds(60)},
	} {
		t.Run(name, func(t *testing.T) {
			var held atomic.Int64
			release, all := make(chan bool), make(chan bool)
			g := newGenerator(t, Options{Stream: s, URL: serve(t, func(c *net.TCPConn, _ int) {
				for {
					if _, ok := readRequest(c); !ok {
						return
					}
					if held.Add(1) == 5 {
						close(all)
					}
					<-release
					if _, err := io.WriteString(c, answer); err != nil {
						return
					}
				}
			})})
			go func() {
				<-all
				g.Stop()
				g.Stop()
				close(release)
			}()
			if err := g.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			rec := g.Recording()
			mustAddUp(t, rec)
			if rec.OK < 5 || rec.Failed != 0 || rec.OK != held.Load() {
				t.Errorf("good %d, failed %d, served %d", rec.OK, rec.Failed, held.Load())
			}
			g.Stop() // after the end it does nothing
		})
	}
}

func TestPartialRecordingsAddUp(t *testing.T) {
	g := newGenerator(t, Options{URL: serve(t, always(answer)), Stream: Stream{Closed: &Closed{Concurrency: 4, Keepalive: true}, Duration: seconds(0.5)}})
	ended := make(chan error, 1)
	go func() { ended <- g.Run(t.Context()) }()
	looks := 0
	for last := int64(0); ; looks++ {
		rec, snap := g.Recording(), g.Snapshot()
		mustAddUp(t, rec)
		if rec.Sent < last || snap.Sent < rec.Sent || snap.OK+snap.Failed != snap.Sent {
			t.Errorf("sent %d, before %d, snapshot %+v", rec.Sent, last, snap)
		}
		last = rec.Sent
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			rec := g.Recording()
			if rec.Generator.CPU <= 0 || rec.Generator.CPUShare <= 0 || rec.Generator.CPUShare > 1 {
				t.Errorf("processor time %v, share %v", rec.Generator.CPU, rec.Generator.CPUShare)
			}
			if snap := g.Snapshot(); snap.P50 <= 0 || snap.P99 < snap.P50 {
				t.Errorf("%+v after %d looks", snap, looks)
			}
			return
		default:
		}
	}
}

func TestRateOfTheLastSecond(t *testing.T) {
	s := newShard(0, false)
	for i := range 300 { // 100/s for 3 s
		at := clock.Time(i) * clock.Time(10*time.Millisecond)
		s.record(&outcome{start: at, done: at, status: 200})
	}
	if got := s.rate(clock.Time(2950 * time.Millisecond)); got != 100 {
		t.Errorf("%d/s", got)
	}
	if got := s.rate(clock.Time(time.Minute)); got != 0 {
		t.Errorf("%d/s a minute later", got)
	}
}

package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

func startProber(t testing.TB, ctx context.Context, o ProberOptions) *Prober {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Command, o.Env, o.Stderr = []string{self}, []string{proberVar + "=1"}, os.Stderr
	p, err := StartProber(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
	})
	return p
}

// moody is a server whose outages are known.
type moody struct {
	addr string
	mood atomic.Int32
	l    net.Listener
	wg   sync.WaitGroup
	end  chan struct{}
}

const (
	moodGood = iota
	moodBusy
	moodReset
	moodSilent
	moodRefusing
)

func newMoody(t *testing.T) *moody {
	m := &moody{addr: "127.0.0.1:0", end: make(chan struct{})}
	m.listen(t)
	t.Cleanup(func() {
		m.l.Close()
		close(m.end)
		m.wg.Wait()
	})
	return m
}

func (m *moody) listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", m.addr)
	if err != nil {
		t.Fatal(err)
	}
	m.l, m.addr = l, l.Addr().String()
	m.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.wg.Go(func() { m.answer(c.(*net.TCPConn)) })
		}
	})
}

func (m *moody) answer(c *net.TCPConn) {
	defer c.Close()
	switch m.mood.Load() {
	case moodReset:
		reset(c)
		return
	case moodSilent:
		<-m.end // never, whatever its mood becomes
		return
	}
	if _, ok := readRequest(c); !ok {
		return
	}
	response := answer
	if m.mood.Load() == moodBusy {
		response = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
	}
	io.WriteString(c, response)
}

// become switches, and returns when it did: between two moments.
func (m *moody) become(t *testing.T, mood int32) (before, after clock.Time) {
	before = clock.Now()
	was := m.mood.Swap(mood)
	if mood == moodRefusing {
		m.l.Close()
	} else if was == moodRefusing {
		m.listen(t)
	}
	return before, clock.Now()
}

// outageOf is an outage that a moody server had.
type outageOf struct {
	mood                     int32
	lasts                    time.Duration
	cause                    Cause
	from, down, mending, end time.Duration // it began in [from, down] and ended in [mending, end]
}

func TestProberFindsEveryOutageAndInventsNone(t *testing.T) {
	m := newMoody(t)
	const every, timeout = 10 * time.Millisecond, 4 * time.Second
	epoch := clock.Now().Add(500 * time.Millisecond)
	p := startProber(t, t.Context(), ProberOptions{
		URL: "http://" + m.addr + "/", Epoch: epoch,
		Probe: Probe{Every: seconds(every.Seconds()), Timeout: seconds(timeout.Seconds())},
	})
	for clock.Now() < epoch.Add(300*time.Millisecond) {
		time.Sleep(time.Millisecond)
	}
	outages := []outageOf{
		{mood: moodSilent, lasts: 40 * ms, cause: CauseTimeout}, {mood: moodSilent, lasts: 1200 * ms, cause: CauseTimeout},
		{mood: moodRefusing, lasts: 40 * ms, cause: CauseRefused}, {mood: moodBusy, lasts: 40 * ms, cause: CauseStatus},
		{mood: moodReset, lasts: 40 * ms, cause: CauseReset}, {mood: moodRefusing, lasts: 1200 * ms, cause: CauseRefused},
		{mood: moodBusy, lasts: 150 * ms, cause: CauseStatus}, {mood: moodReset, lasts: 400 * ms, cause: CauseReset},
	}
	for i := range outages {
		o := &outages[i]
		from, down := m.become(t, o.mood)
		time.Sleep(o.lasts) // the outage
		mending, end := m.become(t, moodGood)
		o.from, o.down, o.mending, o.end = from.Sub(epoch), down.Sub(epoch), mending.Sub(epoch), end.Sub(epoch)
		time.Sleep(600 * ms) // and its absence
	}
	until := clock.Now()
	p.Stop(until)
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	recs := p.Recordings(until)
	if len(recs) != 1 || recs[0].Connections != "new" {
		t.Fatalf("%+v", recs)
	}
	rec := recs[0]
	t.Logf("priority %s, late p99 %d µs, max %d µs, %d gaps, %d sent, %d failed", rec.Priority, rec.Lateness.ValueAtPercentile(99), rec.Lateness.Max(), len(rec.Gaps), rec.Sent, rec.Failed)
	for _, o := range outages {
		if rec.Examples[o.cause] == "" && rec.Failures[o.cause] > 0 {
			t.Errorf("no example of %v", o.cause)
		}
	}
	probes := p.folds[0].pending // the test is shorter than holdBack
	for _, pr := range probes {
		mustBeTrue(t, pr, outages)
	}
	mustHaveEdges(t, rec, probes, outages, every)
}

// mustBeTrue checks a probe against what the server knows. One that was under
// way when the server changed may be either.
func mustBeTrue(t *testing.T, p probe, outages []outageOf) {
	t.Helper()
	for _, o := range outages {
		if p.send >= o.down && p.done <= o.mending && p.cause != o.cause {
			t.Errorf("sent %v, ended %v within an outage of %v to %v: %q", p.send, p.done, o.down, o.mending, p.cause)
		}
		if p.send <= o.end && p.done >= o.from {
			return // it may have failed
		}
	}
	if p.cause != CauseNone {
		t.Errorf("sent %v, ended %v, in no outage: %v, %s", p.send, p.done, p.cause, p.text)
	}
}

// mustHaveEdges checks that each outage shows in the runs, that no other run
// failed, and that the ends of each are right to an interval, the gap between
// the sends there, and how long a probe under way at the edge took: one sent
// before the outage may fail in it, and one sent in it may be answered after.
func mustHaveEdges(t *testing.T, rec *ProbeRecording, probes []probe, outages []outageOf, every time.Duration) {
	t.Helper()
	explained := map[int]bool{}
	for _, o := range outages {
		slow := underWay(probes, o)
		var found []ProbeRun
		for i, run := range rec.Runs {
			if !run.Good && run.First <= o.end && run.Last >= o.from-slow {
				found = append(found, run)
				explained[i] = true
			}
		}
		if len(found) == 0 {
			if seen(probes, o) {
				t.Errorf("outage from %v to %v was not found", o.down, o.mending)
			}
			continue
		}
		first, last := found[0].First, found[len(found)-1].Last
		if first > o.down+every+sendGap(probes, first)+slow {
			t.Errorf("outage from %v to %v: first failed probe sent at %v (under way: %v)", o.down, o.mending, first, slow)
		}
		if last < o.mending-every-sendGap(probes, last)-slow {
			t.Errorf("outage from %v to %v: last failed probe sent at %v (under way: %v)", o.down, o.mending, last, slow)
		}
	}
	for i, run := range rec.Runs {
		if !run.Good && !explained[i] {
			t.Errorf("an outage from %v to %v that was none", run.First, run.Last)
		}
	}
}

// seen tells whether a probe was sent and failed within the outage.
func seen(probes []probe, o outageOf) bool {
	for _, p := range probes {
		if p.send >= o.down && p.send <= o.mending && p.cause != CauseNone {
			return true
		}
	}
	return false
}

// underWay is the longest that a probe took near the edges of an outage, but
// for those that were never answered.
func underWay(probes []probe, o outageOf) time.Duration {
	longest := ms
	for _, p := range probes {
		if p.cause != CauseTimeout && p.done > o.from-100*ms && p.send < o.end+100*ms {
			longest = max(longest, p.done-p.send)
		}
	}
	return longest
}

// sendGap is the longest time between the send at t and its neighbours.
func sendGap(probes []probe, t time.Duration) time.Duration {
	gap := time.Duration(0)
	for i := 1; i < len(probes); i++ {
		if probes[i].send == t || probes[i-1].send == t {
			gap = max(gap, probes[i].send-probes[i-1].send)
		}
	}
	return gap
}

func TestProberOnBothKindsOfConnection(t *testing.T) {
	var conns atomic.Int64
	epoch := clock.Now()
	p := startProber(t, t.Context(), ProberOptions{
		Epoch: epoch, Probe: Probe{Connections: "both", Path: "/alive", Timeout: seconds(10)}, Request: Request{Path: "/other", Expect: Expect{Body: "hi"}},
		URL: serve(t, func(c *net.TCPConn, n int) {
			conns.Store(int64(n))
			for {
				head, ok := readRequest(c)
				if !ok {
					return
				}
				if !strings.HasPrefix(head, "GET /alive ") {
					io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
				}
				io.WriteString(c, answer)
			}
		}),
	})
	// Look while it runs, until enough has been seen.
	for deadline := clock.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		recs := p.Recordings(clock.Now())
		if len(recs) != 2 || recs[0].Connections != "new" || recs[1].Connections != "reused" {
			t.Fatalf("%+v", recs)
		}
		if recs[0].Sent >= 50 && recs[1].Sent >= 50 {
			break
		}
		if clock.Now() > deadline {
			t.Fatalf("only %d and %d probes", recs[0].Sent, recs[1].Sent)
		}
	}
	until := clock.Now().Add(50 * time.Millisecond)
	p.Stop(until)
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	recs := p.Recordings(until)
	for _, r := range recs {
		if r.Failed != 0 || r.Priority == "" || r.Every != 10*time.Millisecond || r.Timeout != 10*time.Second {
			t.Errorf("%+v", r)
		}
		if last := r.Runs[len(r.Runs)-1].Last; last >= until.Sub(epoch) {
			t.Errorf("sent at %v, after the end at %v", last, until.Sub(epoch))
		}
	}
	if n := conns.Load(); n < recs[0].Sent || n > recs[0].Sent+recs[1].Sent/2+100 {
		t.Errorf("%d connections for %d probes on new and %d on reused ones", n, recs[0].Sent, recs[1].Sent)
	}
}

func TestProberThatDies(t *testing.T) {
	p := startProber(t, t.Context(), ProberOptions{URL: serve(t, always(answer)), Epoch: clock.Now(), Probe: Probe{Timeout: seconds(10)}})
	for p.Recordings(clock.Now())[0].Sent < 5 {
		time.Sleep(time.Millisecond)
	}
	p.Kill()
	if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "ended early") {
		t.Errorf("Wait returned %v", err)
	}
	rec := p.Recordings(clock.Now().Add(time.Second))[0]
	if n := len(rec.Gaps); n == 0 || rec.Failed != 0 || rec.Gaps[n-1].To-rec.Gaps[n-1].From < 900*time.Millisecond {
		t.Errorf("%+v", rec)
	}
}

func TestProberEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := startProber(t, ctx, ProberOptions{URL: serve(t, always(answer)), Epoch: clock.Now()})
	cancel()
	if err := p.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait returned %v", err)
	}
}

func TestProberThatCannotStart(t *testing.T) {
	for _, o := range []ProberOptions{
		{Command: []string{"/no/such/program"}, URL: "http://127.0.0.1:1/"},
		{Command: []string{"x"}, URL: "127.0.0.1:1"},
	} {
		if _, err := StartProber(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "prober: ") {
			t.Errorf("%v", err)
		}
	}
	// One that is no prober.
	self, _ := os.Executable()
	p, err := StartProber(t.Context(), ProberOptions{Command: []string{self, "-test.run=^$"}, URL: "http://127.0.0.1:1/", Epoch: clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil {
		t.Error("a program that is no prober is taken for one")
	}
}

func TestProberEndsWhenNobodyWatches(t *testing.T) {
	t.Setenv("HACHAOS_PROBE_PRIORITY", "default") // this process stays as it is
	in, commands := io.Pipe()
	var out lockedBuffer
	ended := make(chan error, 1)
	go func() { ended <- RunProber(t.Context(), in, &out) }()
	url := serve(t, func(c *net.TCPConn, _ int) { hold(c) })
	io.WriteString(commands, `{"url":"`+url+`","every":1000000,"timeout":60000000000,"connections":"new","epoch":0}`+"\n")
	commands.Close()
	if err := <-ended; !errors.Is(err, errUnwatched) {
		t.Errorf("RunProber returned %v", err)
	}
}

func TestProberRefusesNonsense(t *testing.T) {
	t.Setenv("HACHAOS_PROBE_PRIORITY", "default")
	for _, in := range []string{"", "x\n", "{}\n", `{"url":"http://h/","every":1,"timeout":1,"connections":"old"}` + "\n", `{"url":"h","every":1,"timeout":1,"connections":"new"}` + "\n"} {
		if err := RunProber(t.Context(), strings.NewReader(in), io.Discard); err == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func FuzzProbeReader(f *testing.F) {
	r := probeRecord{kind: 1, cause: CauseReset, seq: 3, due: 4, send: 5, done: 6, text: "connection reset"}
	f.Add(append(r.append(appendPriority(nil, "nice -5")), recordEnd))
	f.Add([]byte{recordProbe, 9, 99})
	f.Add([]byte("ok  \tsome test\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		pr := probeReader{bufio.NewReader(bytes.NewReader(in))}
		var again []byte
		for {
			err := pr.next(func(s string) { again = appendPriority(again, s) }, func(r probeRecord) { again = r.append(again) })
			if err == io.EOF {
				again = append(again, recordEnd)
			}
			if err != nil {
				break
			}
		}
		// What it understands is written the same, but for texts cut short.
		if len(again) < maxExample && !bytes.HasPrefix(in, again) {
			t.Errorf("%q was read as %q", in, again)
		}
	})
}

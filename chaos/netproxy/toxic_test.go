package netproxy

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// bench is a connection without sockets, and a clock that is set by hand.
type bench struct {
	t testing.TB
	session
	now    time.Duration
	toxics []*toxic
}

func newBench(t testing.TB, id uint64, seed uint64) *bench {
	p := &Proxy{name: "p", server: &Server{seed: seed}}
	return &bench{t: t, session: session{proxy: p, id: id}}
}

func (b *bench) add(dir Direction, a Attributes, toxicity float32) *toxic {
	b.t.Helper()
	id := b.proxy.nextID
	b.proxy.nextID++
	made, err := newToxic(Toxic{Name: fmt.Sprint("t", id), Attributes: a, Stream: dir.String(), Toxicity: toxicity})
	if err != nil {
		b.t.Fatal(err)
	}
	made.id, made.tally = id, &tally{}
	b.toxics = append(slices.Clone(b.toxics), made)
	b.setChain(b.toxics, b.now)
	return made
}

func (b *bench) update(old *toxic, a Attributes) *toxic {
	b.t.Helper()
	t := old.Toxic
	t.Attributes = a
	made, err := newToxic(t)
	if err != nil {
		b.t.Fatal(err)
	}
	made.id, made.tally, made.revision = old.id, old.tally, old.revision+1
	b.toxics = slices.Clone(b.toxics)
	b.toxics[slices.Index(b.toxics, old)] = made
	b.setChain(b.toxics, b.now)
	return made
}

func (b *bench) remove(t *toxic) {
	b.toxics = slices.DeleteFunc(slices.Clone(b.toxics), func(o *toxic) bool { return o == t })
	b.setChain(b.toxics, b.now)
}

func (b *bench) send(dir Direction, text string) {
	b.flows[dir].take(chunk{bytes: []byte(text), at: b.now})
	b.advance(b.now)
}

func (b *bench) sendMark(dir Direction, m mark) {
	b.flows[dir].take(chunk{mark: m, at: b.now})
	b.advance(b.now)
}

// arrived moves the clock and returns what came out, marks in angle brackets.
func (b *bench) arrived(dir Direction, at time.Duration) string {
	b.now = at
	var text strings.Builder
	for b.advance(at); b.flows[dir].out.len() > 0; b.advance(at) {
		for _, c := range b.flows[dir].out.drain() {
			text.Write(c.bytes)
			text.WriteString([]string{"", "<end>", "<cut>", "<reset>"}[c.mark])
		}
	}
	return text.String()
}

func (b *bench) expect(dir Direction, at time.Duration, want string) {
	b.t.Helper()
	if got := b.arrived(dir, at); got != want {
		b.t.Errorf("at %v %q came, want %q", at, got, want)
	}
}

func TestLatencyDelays(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Downstream, &Latency{Latency: 20}, 1)
	b.send(Upstream, "not delayed")
	b.expect(Upstream, 0, "not delayed")
	b.send(Downstream, "a")
	b.now = 5 * ms
	b.send(Downstream, "b")
	if next := b.flows[Downstream].next(); next != 20*ms {
		t.Errorf("wants to be called at %v", next)
	}
	b.expect(Downstream, 20*ms-1, "")
	b.expect(Downstream, 20*ms, "a")
	b.sendMark(Downstream, end)
	b.expect(Downstream, 25*ms-1, "")
	b.expect(Downstream, 25*ms, "b<end>")
}

func TestLatenciesAddUpExactly(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &Latency{Latency: 20}, 1)
	b.add(Upstream, &Latency{Latency: 30}, 1)
	b.send(Upstream, "a")
	b.expect(Upstream, 27*ms, "") // late for the first stage
	b.expect(Upstream, 50*ms-1, "")
	b.expect(Upstream, 50*ms, "a")
}

func TestJitterStaysInItsBoundsAndInOrder(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &Latency{Latency: 20, Jitter: 10}, 1)
	var delays []time.Duration
	for i := range 500 {
		start := time.Duration(i) * 100 * ms
		b.now = start
		b.send(Upstream, "x")
		delays = append(delays, b.flows[Upstream].next()-start)
		b.arrived(Upstream, start+99*ms)
	}
	low, high := slices.Min(delays), slices.Max(delays)
	if low < 10*ms || low > 11*ms || high < 29*ms || high > 30*ms {
		t.Errorf("delays from %v to %v", low, high)
	}
	b.now = time.Hour
	want := ""
	for i := range 100 {
		b.send(Upstream, fmt.Sprint(i, " "))
		want += fmt.Sprint(i, " ")
	}
	b.expect(Upstream, 2*time.Hour, want)
}

func TestLatencyChangesForWhatIsUnderWay(t *testing.T) {
	b := newBench(t, 1, 1)
	toxic := b.add(Upstream, &Latency{Latency: 1000}, 1)
	b.send(Upstream, "a")
	b.now = 10 * ms
	b.send(Upstream, "b")
	toxic = b.update(toxic, &Latency{Latency: 15})
	b.expect(Upstream, 15*ms, "a")
	b.expect(Upstream, 25*ms, "b")
	b.send(Upstream, "c")
	b.remove(toxic)
	b.expect(Upstream, 25*ms, "c")
}

func TestRemovalKeepsTheOrder(t *testing.T) {
	b := newBench(t, 1, 1)
	first := b.add(Upstream, &Latency{Latency: 10}, 1)
	second := b.add(Upstream, &Latency{Latency: 100}, 1)
	b.send(Upstream, "a")
	b.arrived(Upstream, 15*ms) // a is in the second stage
	b.send(Upstream, "b")      // b in the first
	b.remove(first)
	b.send(Upstream, "c")
	b.expect(Upstream, 110*ms, "a")
	b.remove(second)
	b.expect(Upstream, 110*ms, "bc")
}

func TestBandwidth(t *testing.T) {
	b := newBench(t, 1, 1)
	toxic := b.add(Upstream, &Bandwidth{Rate: 10}, 1) // 10,000 bytes a second
	b.send(Upstream, string(make([]byte, 5000)))
	for i := 1; i <= 50; i++ {
		at := time.Duration(i) * 10 * ms
		if got := len(b.arrived(Upstream, at)); got != 100 {
			t.Fatalf("%d bytes up to %v, want 100 each 10 ms", got, at)
		}
	}
	if !b.flows[Upstream].accepts() {
		t.Error("an empty line takes nothing")
	}
	b.send(Upstream, string(make([]byte, 30000)))
	if b.flows[Upstream].accepts() {
		t.Error("a full line takes more")
	}
	b.arrived(Upstream, b.now+time.Second)
	toxic = b.update(toxic, &Bandwidth{Rate: 20000})
	if got := len(b.arrived(Upstream, b.now+ms)); got != 20000 {
		t.Errorf("%d bytes in the millisecond after a change of the rate, want 20000", got)
	}
	b.update(toxic, &Bandwidth{Rate: 0})
	b.send(Upstream, "x")
	b.expect(Upstream, 100*time.Hour, "")
}

func TestSlowClose(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Downstream, &SlowClose{Delay: 50}, 1)
	b.send(Downstream, "a")
	b.sendMark(Downstream, end)
	b.expect(Downstream, 0, "a")
	b.expect(Downstream, 50*ms-1, "")
	b.expect(Downstream, 50*ms, "<end>")
}

func TestTimeout(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &Timeout{Timeout: 50}, 1)
	b.now = 30 * ms
	b.send(Upstream, "lost")
	b.expect(Upstream, 80*ms-1, "")
	b.expect(Upstream, 80*ms, "<cut>")

	b = newBench(t, 1, 1)
	toxic := b.add(Upstream, &Timeout{}, 1)
	b.send(Upstream, "lost")
	b.expect(Upstream, time.Hour, "")
	b.remove(toxic)
	b.expect(Upstream, time.Hour, "<cut>")
}

func TestResetPeer(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &ResetPeer{Timeout: 50}, 1)
	b.expect(Upstream, 10*ms, "") // it waits for the first bytes
	b.send(Upstream, "lost")
	b.send(Upstream, "lost too")
	b.expect(Upstream, 60*ms-1, "")
	b.expect(Upstream, 60*ms, "<reset>")

	b = newBench(t, 1, 1)
	toxic := b.add(Upstream, &ResetPeer{Timeout: 50}, 1)
	b.send(Upstream, "lost")
	b.remove(toxic)
	b.expect(Upstream, time.Hour, "")
}

func TestLimitData(t *testing.T) {
	b := newBench(t, 1, 1)
	toxic := b.add(Downstream, &LimitData{Bytes: 5}, 1)
	b.send(Downstream, "abc")
	b.expect(Downstream, 0, "abc")
	b.send(Downstream, "defg")
	b.send(Downstream, "h")
	b.expect(Downstream, 0, "de<cut>")
	if got := toxic.tally.bytes.Load(); got != 2 {
		t.Errorf("counted %d bytes, want the 2 cut off the chunk", got)
	}
}

func TestSlicer(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &Slicer{AverageSize: 10, SizeVariation: 4, Delay: 1000}, 1)
	body := random(1, 10_000)
	b.send(Upstream, string(body))
	var got []byte
	pieces, last := 0, time.Duration(0)
	for b.flows[Upstream].next() != never {
		b.now = b.flows[Upstream].next()
		if pieces > 0 && b.now-last != ms {
			t.Fatalf("piece %d came %v after the one before", pieces, b.now-last)
		}
		last = b.now
		b.advance(b.now)
		for _, c := range b.flows[Upstream].out.drain() {
			if n := len(c.bytes); n < 6 && len(got)+n < len(body) || n > 14 {
				t.Fatalf("a piece of %d bytes", n)
			}
			got = append(got, c.bytes...)
			pieces++
		}
	}
	if !bytes.Equal(got, body) || pieces < 900 || pieces > 1100 {
		t.Errorf("%d pieces, %d bytes", pieces, len(got))
	}
}

func TestPacketLossStallsAndLosesNothing(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &PacketLoss{Rate: 0.1, RTO: 200}, 1)
	stalled := 0
	for i := range 2000 {
		b.now = time.Duration(i) * time.Hour
		b.send(Upstream, "x")
		switch delay := b.flows[Upstream].next() - b.now; {
		case b.arrived(Upstream, b.now) == "x":
		case delay%(200*ms) != 0:
			t.Fatalf("a stall of %v", delay)
		default:
			stalled++
			b.expect(Upstream, b.now+delay, "x")
		}
	}
	if stalled < 160 || stalled > 240 {
		t.Errorf("%d of 2000 packets stalled, want about 200", stalled)
	}
}

func TestCorruptFlipsItsShare(t *testing.T) {
	for _, rate := range []float64{0, 0.001, 0.2, 1} {
		flips := func(seed uint64) (got []byte, flipped int) {
			b := newBench(t, 1, seed)
			toxic := b.add(Upstream, &Corrupt{Rate: rate}, 1)
			for range 100 {
				b.send(Upstream, string(make([]byte, 1000)))
			}
			got = []byte(b.arrived(Upstream, 0))
			for _, c := range got {
				if c != 0 {
					flipped++
				}
			}
			if toxic.tally.bytes.Load() != int64(flipped) {
				t.Errorf("counted %d of %d", toxic.tally.bytes.Load(), flipped)
			}
			return got, flipped
		}
		got, n := flips(1)
		if want := rate * 100_000; math.Abs(float64(n)-want) > 4*math.Sqrt(want*(1-rate)) {
			t.Errorf("rate %v: %d of 100000 bytes", rate, n)
		}
		if again, _ := flips(1); !bytes.Equal(got, again) {
			t.Error("the same seed flips other bytes")
		}
		if other, _ := flips(2); rate > 0 && bytes.Equal(got, other) {
			t.Error("another seed flips the same bytes")
		}
	}
}

func TestToxicityPicksConnections(t *testing.T) {
	hit := func(seed uint64) (ids []int) {
		for id := range 1000 {
			b := newBench(t, uint64(id), seed)
			b.add(Upstream, &Latency{Latency: 1}, 0.3)
			if len(b.flows[Upstream].stages) == 1 {
				ids = append(ids, id)
			}
		}
		return ids
	}
	first := hit(1)
	if len(first) < 250 || len(first) > 350 {
		t.Errorf("%d of 1000 connections", len(first))
	}
	if !slices.Equal(first, hit(1)) || slices.Equal(first, hit(2)) {
		t.Error("the draws do not follow the seed")
	}
}

func TestBlockedReceiverStopsTheStages(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &Slicer{AverageSize: 1000}, 1)
	sent := 0
	for b.flows[Upstream].accepts() {
		b.send(Upstream, string(make([]byte, readSize)))
		sent += readSize
		if sent > 1<<20 {
			t.Fatal("it takes without bound while nobody reads")
		}
	}
	if got := len(b.arrived(Upstream, 0)); got != sent || !b.flows[Upstream].accepts() {
		t.Errorf("%d of %d bytes came", got, sent)
	}
}

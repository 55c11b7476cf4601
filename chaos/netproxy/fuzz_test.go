package netproxy

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// FuzzLosslessChain sends any bytes in any pieces through any chain of toxics
// that lose nothing, which come, change and go meanwhile.
func FuzzLosslessChain(f *testing.F) {
	f.Add([]byte("hello, world"), uint64(1))
	f.Add(random(1, 100_000), uint64(2))
	f.Add([]byte{}, uint64(3))
	f.Fuzz(lossless)
}

func lossless(t *testing.T, body []byte, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	b := newBench(t, seed, seed)
	kind := func() Attributes {
		switch rng.IntN(6) {
		case 0:
			return &Latency{Latency: rng.Int64N(100), Jitter: rng.Int64N(200)}
		case 1:
			return &Bandwidth{Rate: 1 + rng.Int64N(1000)}
		case 2:
			return &Slicer{AverageSize: rng.IntN(2000), SizeVariation: rng.IntN(100), Delay: rng.IntN(1000)}
		case 3:
			return &PacketLoss{Rate: rng.Float64() / 2, Correlation: rng.Float64(), RTO: 1 + rng.Int64N(300)}
		case 4:
			return &SlowClose{Delay: rng.Int64N(100)}
		}
		return &Noop{}
	}
	var got []byte
	read := func() (ended bool) {
		b.advance(b.now)
		for b.flows[Upstream].out.len() > 0 && rng.IntN(4) > 0 {
			c := b.flows[Upstream].out.pop()
			got = append(got, c.bytes...)
			ended = ended || c.mark == end
		}
		return ended
	}
	left := bytes.Clone(body)
	for len(left) > 0 {
		switch rng.IntN(8) {
		case 0:
			if len(b.toxics) < 5 {
				b.add(Upstream, kind(), rng.Float32())
			}
		case 1:
			if n := len(b.toxics); n > 0 {
				b.remove(b.toxics[rng.IntN(n)])
			}
		case 2:
			if n := len(b.toxics); n > 0 {
				old := b.toxics[rng.IntN(n)]
				if a := kind(); kindOf(a) == old.Type {
					b.update(old, a)
				}
			}
		case 3:
			b.now += time.Duration(rng.IntN(100)) * ms
		default:
			if b.flows[Upstream].accepts() {
				n := min(1+rng.IntN(readSize), len(left))
				b.send(Upstream, string(left[:n]))
				left = left[n:]
			} else if next := b.flows[Upstream].next(); next != never {
				b.now = max(b.now, next)
			}
		}
		if read() {
			t.Fatal("it ended before its end")
		}
	}
	b.sendMark(Upstream, end)
	for i := 0; !read(); i++ {
		if i > 10_000_000 {
			t.Fatalf("stuck: %d of %d bytes came", len(got), len(body))
		}
		if next := b.flows[Upstream].next(); next != never {
			b.now = max(b.now, next)
		}
	}
	if !bytes.Equal(got, body) {
		t.Fatalf("%d bytes came out otherwise than the %d that went in", len(got), len(body))
	}
}

package netproxy

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestProtocolFaultsThroughSockets(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, server := link(t, s)
		if _, err := p.AddToxic(Toxic{Attributes: &RedisFault{Commands: Names{"SET"}, Error: "READONLY", Probability: 1}, Toxicity: 1}); err != nil {
			t.Fatal(err)
		}
		write(t, client, resp("GET", "a")+resp("SET", "a", "1")+resp("GET", "b"))
		expect(t, server, resp("GET", "a"))
		silent(t, server)
		write(t, server, "$1\r\nx\r\n")
		expect(t, client, "$1\r\nx\r\n-"+redisErrors["READONLY"]+"\r\n")
		expect(t, server, resp("GET", "b"))
		if got := p.Stats().Toxics[0]; got.Events != 1 || got.Connections != 1 {
			t.Errorf("counted %+v", got)
		}
	})
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	for _, a := range []Attributes{
		&RedisFault{Probability: 1}, &RedisFault{Error: "MOVED"}, &RedisFault{Error: "a\r\nb"}, &RedisFault{Error: "OOM", Probability: 2},
		&HTTPFault{}, &HTTPFault{Status: 99}, &HTTPFault{Status: 503, Abort: true}, &HTTPFault{Abort: true, Path: "("}, &HTTPFault{Abort: true, Body: "x"},
		&PostgresFault{}, &PostgresFault{Error: "x"}, &PostgresFault{Cut: true, Match: "["}, &PostgresFault{Delay: -1},
		&PacketLoss{Rate: 1.5, RTO: 1}, &PacketLoss{Rate: 1}, &PacketLoss{RTO: 1, Correlation: -1}, &Corrupt{Rate: -1},
		&Flapping{Up: 1}, &FailEvery{}, &RefuseFirst{Connections: -1}, &Latency{Jitter: -1}, &Bandwidth{Rate: -1},
		&SlowClose{Delay: -1}, &Timeout{Timeout: -1}, &ResetPeer{Timeout: -1}, &Slicer{AverageSize: -1}, &LimitData{Bytes: -1},
	} {
		if _, err := newToxic(Toxic{Attributes: a, Toxicity: 1}); err == nil || !strings.HasPrefix(err.Error(), "bad request body: "+kindOf(a)+": ") {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// FuzzProtocolToxics feeds any bytes in any pieces to the toxics that parse
// them. With a probability of 0 they must come out as they went in.
func FuzzProtocolToxics(f *testing.F) {
	f.Add([]byte(resp("GET", "a")+resp("SET", "b", "c")), []byte("+OK\r\n$1\r\nx\r\n"), uint8(0), uint8(3))
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 x\r\n\r\n"), uint8(1), uint8(5))
	f.Add([]byte(pg('Q', "select 1\x00")+pg('P', "a\x00b\x00")), []byte(pg('Z', "T")), uint8(2), uint8(2))
	f.Add([]byte(pgTLSRequest+pgStart+pg('Q', "select 1\x00")), []byte("N"), uint8(5), uint8(7))
	f.Fuzz(func(t *testing.T, requests, replies []byte, kind, size uint8) {
		b := newBench(t, 1, uint64(size))
		probability := 0.0
		if kind >= 3 {
			probability = 0.5
		}
		if kind%3 == 2 && kind < 3 {
			b.flows[Upstream].begun = true // at start-up the toxic answers itself
		}
		var toxics []*toxic
		for _, a := range [][]Attributes{
			{&RedisFault{Error: "MOVED", Moved: "x:1", Probability: probability}},
			{&HTTPFault{Status: 503, Delay: 3, Probability: probability}},
			{&PostgresFault{Error: "53300", Match: "e", Delay: 5, Cut: true, Probability: probability}},
		}[kind%3] {
			toxics = append(toxics, b.add(Upstream, a, 1))
		}
		var up, down strings.Builder
		now := time.Duration(0)
		step := int(size) + 1
		for r, a := requests, replies; len(r)+len(a) > 0; now += ms {
			n, m := min(step, len(r)), min(step, len(a))
			if n > 0 && b.flows[Upstream].accepts() {
				b.send(Upstream, string(r[:n]))
				r = r[n:]
			} else if m == 0 {
				break // the requests wait for replies that do not come
			}
			if m > 0 {
				b.send(Downstream, string(a[:m]))
				a = a[m:]
			}
			up.WriteString(b.arrived(Upstream, now))
			down.WriteString(b.arrived(Downstream, now))
		}
		for _, x := range toxics {
			b.remove(x) // what was kept back goes on
		}
		up.WriteString(b.arrived(Upstream, now+time.Hour))
		down.WriteString(b.arrived(Downstream, now+time.Hour))
		if probability == 0 && (!bytes.Equal([]byte(up.String()), requests) || down.String() != string(replies)) {
			t.Fatalf("changed:\n%q\n%q\n%q\n%q", requests, up.String(), replies, down.String())
		}
	})
}

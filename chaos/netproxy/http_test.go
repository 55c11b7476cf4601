package netproxy

import "testing"

func TestHTTPAnswersDelaysAndAborts(t *testing.T) {
	get := "GET /items?q=1 HTTP/1.1\r\nHost: x\r\n\r\n"
	post := "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
	chunked := "POST /orders HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"
	answer := "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\nbusy"
	for _, size := range []int{1, 10, 1000} {
		b := newBench(t, 1, 1)
		toxic := b.add(Upstream, &HTTPFault{Methods: Names{"post"}, Path: "^/orders", Status: 503, Body: "busy", Delay: 20, Probability: 1}, 1)
		all := get + post + chunked + get
		for all != "" {
			n := min(size, len(all))
			b.send(Upstream, all[:n])
			all = all[n:]
		}
		b.expect(Upstream, 0, get)
		for _, response := range []string{
			"HTTP/1.1 100 Continue\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		} {
			b.send(Downstream, response)
			b.expect(Downstream, 0, response)
		}
		b.expect(Downstream, 20*ms-1, "")
		b.expect(Downstream, 20*ms, answer+answer)
		b.expect(Upstream, 20*ms, get)
		if n := toxic.tally.events.Load(); n != 2 {
			t.Errorf("counted %d", n)
		}
	}
	b := newBench(t, 1, 1)
	b.add(Upstream, &HTTPFault{Abort: true, Delay: 10, Probability: 1}, 1)
	b.send(Upstream, get)
	b.expect(Upstream, 10*ms-1, "")
	b.expect(Upstream, 10*ms, "<reset>")

	b = newBench(t, 1, 1)
	b.add(Upstream, &HTTPFault{Delay: 10, Probability: 1}, 1)
	b.send(Upstream, post)
	b.expect(Upstream, 10*ms-1, "")
	b.expect(Upstream, 10*ms, post)
}

func TestHTTPAnswersToHeadAndExpect(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &HTTPFault{Status: 500, Body: "no", Probability: 1}, 1)
	b.send(Upstream, "HEAD / HTTP/1.1\r\n\r\n")
	b.expect(Downstream, 0, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\n")
	b.send(Upstream, "PUT / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	b.send(Upstream, "abc")
	b.expect(Downstream, 0, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno<cut>")
	b.expect(Upstream, 0, "")
}

func TestHTTPThatIsNoHTTPPasses(t *testing.T) {
	for _, text := range []string{
		"\x16\x03\x01 a TLS hello\r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\n\r\nanything",
		"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
	} {
		b := newBench(t, 1, 1)
		b.add(Upstream, &HTTPFault{Status: 500, Probability: 1}, 1)
		b.send(Upstream, text)
		b.expect(Upstream, 0, text)
		b.send(Upstream, "GET / HTTP/1.1\r\n\r\n")
		b.expect(Upstream, 0, "GET / HTTP/1.1\r\n\r\n")
		b.expect(Downstream, 0, "")
	}
	b := newBench(t, 1, 1)
	b.add(Upstream, &HTTPFault{Path: "^/no", Status: 500, Probability: 1}, 1)
	b.send(Upstream, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
	b.send(Downstream, "HTTP/1.1 101 Switching Protocols\r\n\r\nraw")
	b.send(Upstream, "GET /no HTTP/1.1\r\n\r\n")
	b.expect(Upstream, 0, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\nGET /no HTTP/1.1\r\n\r\n")
	b.expect(Downstream, 0, "HTTP/1.1 101 Switching Protocols\r\n\r\nraw")
}

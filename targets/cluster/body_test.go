//go:build unix

package cluster

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// What is wrong with a client's body is no worker's fault, however much of it had
// been passed on by then.
func TestProxyBlamesNoWorkerForABody(t *testing.T) {
	const chunked = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
	part := strings.Repeat("a", replayable+1)
	f := newFront(t, Config{Passive: Passive{MaxFails: 1, FailTimeout: never}}, readAll)
	for what, request := range map[string]string{
		"no chunk":                   chunked + "zz\r\n",
		"no chunk behind a long one": fmt.Sprintf("%s%x\r\n%s\r\nzz\r\n", chunked, len(part), part),
		"half a short body":          "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab",
		"half a long body":           "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\n" + part,
	} {
		conn := f.begin(request)
		_ = conn.(*net.TCPConn).CloseWrite() // half a body breaks off
		if all := end(t, conn); !strings.HasPrefix(all, "HTTP/1.1 400 ") || !strings.Contains(all, "\r\nConnection: close\r\n") {
			t.Errorf("%s is answered %q", what, all)
		}
	}
	fields := []field{{":method", "POST"}, {":scheme", "http"}, {":authority", "test"}, {":path", "/"}, {"content-length", "200000"}}
	if status := f.rawH2().ask(part, fields...); status != http.StatusBadRequest {
		t.Errorf("HTTP/2, half a long body: %d", status)
	}
	if w := f.figures().workers[0]; w.failures != 0 || !w.healthy {
		t.Errorf("its worker has %d failures, healthy: %v", w.failures, w.healthy)
	}
}

func TestProxyLeavesTargetsAsTheyAre(t *testing.T) {
	f := newFront(t, Config{}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) })
	for _, target := range []string{"/?z=1&a=50%", "/search?q=50%&b=1", "/?a=1;b=2", "/?b=%20&a=+&&", "/?", "/a%2Fb?c"} {
		if all := f.say("GET " + target + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(all, "\r\n\r\n"+target) {
			t.Errorf("for %s the worker is asked %q", target, all)
		}
	}
}

// A worker that switches to what nobody asked for is let go of.
func TestProxySwitchesToWhatWasAskedFor(t *testing.T) {
	for what, header := range map[string]string{
		"nothing": "", "something else": "Connection: Upgrade\r\nUpgrade: y\r\n", "half of it": "Upgrade: x\r\n",
	} {
		over := make(chan struct{})
		f := newFront(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
			defer close(over)
			conn, rest, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\n%s\r\n", header)
			_, _ = io.Copy(io.Discard, rest) // until the proxy hangs up
		})
		worker := f.pool.upstreams[0]
		if all := f.say("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"); !strings.HasPrefix(all, "HTTP/1.1 502 ") {
			t.Errorf("switched to %s, the client is told %q", what, all)
		}
		if !eventually(func() bool { return f.pool.has(worker) == 0 }) {
			t.Fatalf("switched to %s, the request counts as in flight", what)
		}
		<-over
	}
}

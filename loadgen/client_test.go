package loadgen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// testClient is a client of either engine, with one connection at most.
type testClient interface {
	client
	connected() bool
}

func (c *httpClient) connected() bool { return c.conn != nil }

// maker makes clients and the request that they send.
type maker func(t *testing.T, url string, r Request) (testClient, *request)

// forEachEngine runs a test with clients of each engine for plain HTTP/1.1.
func forEachEngine(t *testing.T, f func(t *testing.T, newClient maker)) {
	for name, newClient := range map[string]maker{"loop": newLoopClient, "goroutine": newGoroutineClient} {
		if newClient != nil {
			t.Run(name, func(t *testing.T) { f(t, newClient) })
		}
	}
}

func newGoroutineClient(t *testing.T, url string, r Request) (testClient, *request) {
	return newTestClient(t, url, r, nil)
}

// exchange sends one request with a client of its own.
func (m maker) exchange(t *testing.T, url string, r Request, timeout time.Duration) outcome {
	t.Helper()
	var o outcome
	c, q := m(t, url, r)
	c.do(q, clock.Now().Add(timeout), &o)
	return o
}

// exchange sends one request with a client of its own, over TLS perhaps.
func exchange(t *testing.T, url string, r Request, timeout time.Duration, config *tls.Config) outcome {
	t.Helper()
	var o outcome
	c, q := newTestClient(t, url, r, config)
	c.do(q, clock.Now().Add(timeout), &o)
	return o
}

func newTestClient(t *testing.T, url string, r Request, config *tls.Config) (*httpClient, *request) {
	t.Helper()
	engine, q := newTestEngine(t, url, r, config)
	c := engine.newClient()
	t.Cleanup(c.close)
	return c, q
}

func newTestEngine(t *testing.T, url string, r Request, config *tls.Config) (*httpEngine, *request) {
	t.Helper()
	e, err := parseEndpoint(url)
	if err != nil {
		t.Fatal(err)
	}
	r.SetDefaults()
	q, err := compile(r, e, true)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := newHTTPEngine(t.Context(), engineConfig{endpoint: e, tls: config, keepalive: true, retry: true})
	if err != nil {
		t.Fatal(err)
	}
	return engine, q
}

// after reads a request and then does what is given.
func after(do func(c *net.TCPConn)) func(*net.TCPConn, int) {
	return func(c *net.TCPConn, _ int) {
		if _, ok := readRequest(c); ok {
			do(c)
		}
	}
}

func write(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) { io.WriteString(c, text) }
}

// hold waits until the client has gone.
func hold(c *net.TCPConn) { io.Copy(io.Discard, c) }

func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

func TestCauses(t *testing.T) {
	const long, short = 20 * time.Second, 100 * time.Millisecond
	for _, c := range []struct {
		name    string
		url     string
		timeout time.Duration
		request Request
		cause   Cause
		status  int
		text    string // part of the explanation
	}{
		{name: "answered", url: serve(t, always(answer)), timeout: long, status: 200},
		{name: "refused", url: refusing(t), timeout: long, cause: CauseRefused, text: "refused"},
		{name: "reset", url: serve(t, after(reset)), timeout: long, cause: CauseReset, text: "reset"},
		{name: "reset in the body", url: serve(t, after(func(c *net.TCPConn) {
			write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")(c)
			reset(c)
		})), timeout: long, cause: CauseReset},
		{name: "closed at once", url: serve(t, func(c *net.TCPConn, _ int) { readRequest(c) }), timeout: long, cause: CauseClosed},
		{name: "closed in the header", url: serve(t, after(write("HTTP/1.1 200 OK\r\nContent-"))), timeout: long, cause: CauseClosed},
		{name: "closed in the body", url: serve(t, after(write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))), timeout: long, cause: CauseClosed},
		{name: "closed in a chunk", url: serve(t, after(write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"))), timeout: long, cause: CauseClosed},
		{name: "never answered", url: serve(t, after(hold)), timeout: short, cause: CauseTimeout},
		{name: "half an answer", url: serve(t, after(func(c *net.TCPConn) {
			write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")(c)
			hold(c)
		})), timeout: short, cause: CauseTimeout},
		{name: "endless body", url: serve(t, after(func(c *net.TCPConn) {
			write("HTTP/1.1 200 OK\r\n\r\n")(c)
			for {
				if _, err := c.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		})), timeout: short, cause: CauseTimeout},
		{name: "garbage", url: serve(t, after(func(c *net.TCPConn) { write("SSH-2.0-OpenSSH\r\n")(c); hold(c) })), timeout: long, cause: CauseOther, text: "malformed"},
		{name: "endless header", url: serve(t, after(func(c *net.TCPConn) { write("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 10<<20))(c) })), timeout: long, cause: CauseOther},
		{name: "busy", url: serve(t, always("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")), timeout: long, cause: CauseStatus, status: 503, text: "503 Service Unavailable"},
		{name: "wrong body", url: serve(t, always(answer)), timeout: long, request: Request{Expect: Expect{Body: "bye"}}, cause: CauseExpectation, status: 200, text: "bye"},
		{name: "right body", url: serve(t, always(answer)), timeout: long, request: Request{Expect: Expect{Body: "hi"}}, status: 200},
		{name: "no such host", url: "http://no-such-host.invalid/", timeout: long, cause: CauseDNS},
		{name: "no TLS there", url: strings.Replace(serve(t, func(c *net.TCPConn, _ int) { write("not TLS at all, surely")(c); hold(c) }), "http:", "https:", 1), timeout: long, cause: CauseTLS, text: "handshake"},
		{name: "TLS that hangs", url: strings.Replace(serve(t, func(c *net.TCPConn, _ int) { hold(c) }), "http:", "https:", 1), timeout: short, cause: CauseTimeout},
	} {
		judge := func(t *testing.T, o outcome) {
			t.Helper()
			if o.cause != c.cause || o.status != c.status || !strings.Contains(o.explain(), c.text) {
				t.Errorf("got %v, status %d (%s), want %v, status %d", o.cause, o.status, o.explain(), c.cause, c.status)
			}
			if o.retried {
				t.Error("retried on a new connection")
			}
		}
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.url, "https:") {
				judge(t, exchange(t, c.url, c.request, c.timeout, nil))
				return
			}
			forEachEngine(t, func(t *testing.T, newClient maker) {
				judge(t, newClient.exchange(t, c.url, c.request, c.timeout))
			})
		})
	}
}

func TestOwnLimitsAreTheGenerators(t *testing.T) {
	errnos := []syscall.Errno{syscall.EMFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS}
	if runtime.GOOS == "windows" {
		errnos = []syscall.Errno{10024, 10049, 10055}
	}
	for _, errno := range errnos {
		if got := classify(&net.OpError{Op: "dial", Err: errno}); got != CauseGenerator {
			t.Errorf("%v is %v", errno, got)
		}
	}
}

func TestDegradedAnswersAreGood(t *testing.T) {
	forEachEngine(t, func(t *testing.T, newClient maker) {
		marked := serve(t, always("HTTP/1.1 200 OK\r\nX-Degraded: cache\r\nContent-Length: 0\r\n\r\n"))
		unavailable := serve(t, always("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
		failing := serve(t, always("HTTP/1.1 500 Oops\r\nX-Degraded: 1\r\nContent-Length: 0\r\n\r\n"))
		for _, c := range []struct {
			url      string
			expect   Expect
			cause    Cause
			degraded bool
		}{
			{url: marked, degraded: true},
			{url: marked, expect: Expect{Body: "fresh"}, degraded: true},
			{url: unavailable, expect: Expect{Degraded: []StatusRange{{503, 503}}}, degraded: true},
			{url: unavailable, expect: Expect{Degraded: []StatusRange{{504, 504}}}, cause: CauseStatus},
			{url: failing, cause: CauseStatus},
		} {
			if o := newClient.exchange(t, c.url, Request{Expect: c.expect}, 20*time.Second); o.cause != c.cause || o.degraded != c.degraded {
				t.Errorf("%+v: got %v, degraded %v", c.expect, o.cause, o.degraded)
			}
		}
	})
}

func TestWhatIsSent(t *testing.T) {
	forEachEngine(t, func(t *testing.T, newClient maker) {
		heads := make(chan string, 1)
		url := serve(t, func(c *net.TCPConn, _ int) {
			head, _ := readRequest(c)
			heads <- head
			io.WriteString(c, answer)
		})
		withUser := strings.Replace(url, "http://", "http://ann:s%20t@", 1) + "base/?a=1"
		newClient.exchange(t, withUser, Request{Path: "/x", Headers: map[string]string{"host": "other.test", "X-A": "b"}}, 20*time.Second)
		want := "GET /base/x?a=1 HTTP/1.1\r\nHost: other.test\r\nUser-Agent: hachaos\r\nAuthorization: Basic YW5uOnMgdA==\r\nX-A: b\r\n\r\n"
		if got := <-heads; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

func TestTargets(t *testing.T) {
	for _, c := range [][3]string{
		{"http://h", "/", "/"}, {"http://h/", "/", "/"}, {"http://h/a", "/", "/a"}, {"http://h/a/", "/", "/a/"}, {"http://h/a/", "/b?c", "/a/b?c"},
		{"http://h?q=1", "/b", "/b?q=1"}, {"http://h/?q=1", "/?r", "/?r"}, {"http://h/a%2Fb", "/c%20d", "/a%2Fb/c%20d"}, {"http://h/#top", "/", "/"}, {"http://h", "/?", "/?"},
	} {
		e, err := parseEndpoint(c[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := e.target(c[1]); got != c[2] {
			t.Errorf("%s with %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
	for _, url := range []string{"", "h", "localhost:80", "ftp://h/", "http://", "http:///x", "http://h:port/", "http://h:99999/", "http://a b/", "http://\x7f/", "http://é/"} {
		if g, err := New(Options{URL: url, Stream: Stream{Closed: &Closed{Concurrency: 1}, Count: 1}}); err == nil {
			t.Errorf("%q: no error, %+v", url, g)
		}
	}
	if _, err := parseEndpoint("http://ann:secret@h:port/"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error tells the password: %v", err)
	}
	if e, err := parseEndpoint("http://[fe80::1%25eth0]:81/"); err != nil || e.host != "fe80::1%eth0" || e.authority != "[fe80::1]:81" {
		t.Errorf("IPv6 with a zone: %+v, %v", e, err)
	}
}

func TestStaleConnectionIsReplacedSilently(t *testing.T) {
	forEachEngine(t, func(t *testing.T, newClient maker) {
		if runtime.GOOS == "windows" {
			t.Skip("a connection cannot be peeked at on Windows; its requests count as retried")
		}
		for name, parting := range map[string]func(*net.TCPConn){
			"closed": func(c *net.TCPConn) { c.Close() },
			"reset":  reset,
			"unasked words": func(c *net.TCPConn) {
				write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")(c)
				c.CloseWrite()
			},
		} {
			t.Run(name, func(t *testing.T) {
				parted := make(chan bool)
				c, q := newClient(t, serve(t, func(c *net.TCPConn, _ int) {
					readRequest(c)
					io.WriteString(c, answer)
					<-parted
					parting(c)
					parted <- true
				}), Request{Method: "POST"})
				for range 3 {
					var o outcome
					c.do(q, clock.Now().Add(20*time.Second), &o)
					if o.cause != CauseNone || o.retried {
						t.Fatalf("%v, retried %v: %s", o.cause, o.retried, o.explain())
					}
					parted <- true
					<-parted
				}
			})
		}
	})
}

func TestLostOnReusedConnection(t *testing.T) {
	forEachEngine(t, func(t *testing.T, newClient maker) {
		// Each connection answers one request and dies on the next, unanswered.
		mortal := func(c *net.TCPConn, _ int) {
			readRequest(c)
			io.WriteString(c, answer)
			readRequest(c)
		}
		for _, c := range []struct {
			method  string
			retried bool
			cause   Cause
		}{{"GET", true, CauseNone}, {"PUT", true, CauseNone}, {"POST", false, CauseClosed}, {"PATCH", false, CauseClosed}} {
			client, q := newClient(t, serve(t, mortal), Request{Method: c.method})
			var o outcome
			client.do(q, clock.Now().Add(20*time.Second), &o)
			client.do(q, clock.Now().Add(20*time.Second), &o)
			if o.retried != c.retried || o.cause != c.cause {
				t.Errorf("%s: retried %v, %v; want %v, %v", c.method, o.retried, o.cause, c.retried, c.cause)
			}
		}
		// Once more, not for ever: all but the first answer on the first connection are lost.
		client, q := newClient(t, serve(t, func(c *net.TCPConn, n int) {
			if readRequest(c); n == 1 {
				io.WriteString(c, answer)
				readRequest(c)
			}
		}), Request{})
		var o outcome
		client.do(q, clock.Now().Add(20*time.Second), &o)
		client.do(q, clock.Now().Add(20*time.Second), &o)
		if !o.retried || o.cause != CauseClosed {
			t.Errorf("lost twice: retried %v, %v", o.retried, o.cause)
		}
		// A byte of the answer came: it is lost, and not sent again.
		client, q = newClient(t, serve(t, func(c *net.TCPConn, _ int) {
			readRequest(c)
			io.WriteString(c, answer)
			readRequest(c)
			io.WriteString(c, "H")
		}), Request{})
		client.do(q, clock.Now().Add(20*time.Second), &o)
		client.do(q, clock.Now().Add(20*time.Second), &o)
		if o.retried || o.cause != CauseClosed {
			t.Errorf("lost after the first byte: retried %v, %v", o.retried, o.cause)
		}
	})
}

func TestEarlyAnswerToALargeRequestCounts(t *testing.T) {
	forEachEngine(t, func(t *testing.T, newClient maker) {
		url := serve(t, func(c *net.TCPConn, _ int) {
			io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			c.CloseWrite()
			io.CopyN(io.Discard, c, 1<<20)
			hold(c)
		})
		o := newClient.exchange(t, url, Request{Method: "POST", Body: strings.Repeat("x", 8<<20)}, 20*time.Second)
		if o.cause != CauseStatus || o.status != 413 {
			t.Errorf("%v, status %d: %s", o.cause, o.status, o.explain())
		}
	})
}

func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bye" {
			w.Header().Set("Connection", "close")
		}
		io.WriteString(w, "hi")
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	client, q := newTestClient(t, srv.URL, Request{Expect: Expect{Body: "hi"}}, &tls.Config{RootCAs: pool})
	var o outcome
	for range 3 {
		client.do(q, clock.Now().Add(20*time.Second), &o)
		if o.cause != CauseNone || o.retried {
			t.Fatalf("%v, retried %v: %s", o.cause, o.retried, o.explain())
		}
	}
	first := client.wire
	srv.CloseClientConnections()
	client.do(q, clock.Now().Add(20*time.Second), &o)
	if o.cause != CauseNone || client.wire == first {
		t.Fatalf("after the server has closed: %v, %s", o.cause, o.explain())
	}
	if o := exchange(t, srv.URL, Request{}, 20*time.Second, nil); o.cause != CauseTLS {
		t.Errorf("an unknown authority: %v, %s", o.cause, o.explain())
	}
}

func TestConnectionIsKeptOnlyAsAgreed(t *testing.T) {
	forEachEngine(t, func(t *testing.T, newClient maker) {
		for name, response := range map[string]string{
			"until close": "HTTP/1.1 200 OK\r\n\r\nhi", "announced": "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
			"1.0": "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "more than asked": answer + "HTTP/1.1 200 OK\r\n",
		} {
			client, q := newClient(t, serve(t, after(write(response))), Request{})
			var o outcome
			for range 2 {
				client.do(q, clock.Now().Add(20*time.Second), &o)
				if o.cause != CauseNone || o.retried || client.connected() && name != "more than asked" {
					t.Errorf("%s: %v, retried %v, connection kept %v", name, o.cause, o.retried, client.connected())
				}
			}
		}
	})
}

func TestDeadlineMovesBothWays(t *testing.T) {
	forEachEngine(t, func(t *testing.T, newClient maker) {
		slow := make(chan time.Duration, 1)
		client, q := newClient(t, serve(t, func(c *net.TCPConn, _ int) {
			for {
				if _, ok := readRequest(c); !ok {
					return
				}
				time.Sleep(<-slow) // the server's slowness, not a synchronisation
				io.WriteString(c, answer)
			}
		}), Request{})
		var o outcome
		do := func(takes, timeout time.Duration) Cause {
			slow <- takes
			client.do(q, clock.Now().Add(timeout), &o)
			return o.cause
		}
		// The deadline armed by the first strikes early in the second.
		timeout := 200 * time.Millisecond
		for do(0, timeout) != CauseNone {
			timeout *= 2 // a busy machine
		}
		if got := do(timeout+200*time.Millisecond, time.Minute); got != CauseNone {
			t.Fatalf("a deadline of an earlier request struck: %s", o.explain())
		}
		// And one far off does not keep an earlier one from striking.
		if got := do(2*time.Second, 50*time.Millisecond); got != CauseTimeout {
			t.Fatalf("%v", got)
		}
	})
}

func TestFindsTextAcrossPieces(t *testing.T) {
	text := "needle"
	for _, body := range []string{"needle", "xxneedlexx", "neneedle", "needl", "needneedneedle", "nee dle", "xneedl", ""} {
		for size := 1; size <= len(body)+1; size++ {
			var s seeker
			s.seek([]byte(text))
			for piece := range slices.Chunk([]byte(body), size) {
				s.in(piece)
			}
			if want := bytes.Contains([]byte(body), []byte(text)); s.found != want {
				t.Errorf("%q in pieces of %d: %v", body, size, s.found)
			}
		}
	}
}

// What goes through a TCP proxy is sent to it, and asks for what the URL names.
func TestVia(t *testing.T) {
	hosts := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hosts <- r.Host }))
	defer server.Close()
	e, err := parseEndpoint("http://service.example:8081/")
	if err != nil {
		t.Fatal(err)
	}
	var r Request
	r.SetDefaults()
	q, err := compile(r, e, true)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := newHTTPEngine(t.Context(), engineConfig{endpoint: e, connect: Connect{Via: server.Listener.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	c := engine.newClient()
	defer c.close()
	var o outcome
	c.do(q, clock.Now().Add(20*time.Second), &o)
	if o.cause != CauseNone {
		t.Fatalf("%+v", o)
	}
	if host := <-hosts; host != "service.example:8081" {
		t.Errorf("the server was asked for %q", host)
	}
	if _, err := (Connect{Via: "nowhere"}).dialer(e); err == nil {
		t.Error("an address without a port was taken")
	}
}

// A host with several addresses is reached by the one that answers, which is
// tried first from then on.
func TestAnotherAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs more than one address on loopback")
	}
	for name, play := range map[string]func(*httpEngine, *request) outcome{"loop": playByLoop, "goroutine": playByClient} {
		t.Run(name, func(t *testing.T) {
			engine, q := newTestEngine(t, serve(t, always(answer)), Request{}, nil)
			good := engine.dialer.last.Load().addrs[0]
			nobody := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), good.Port())
			engine.dialer.last.Store(&resolved{addrs: []netip.AddrPort{nobody, good, nobody}})
			if o := play(engine, q); o.cause != CauseNone || engine.dialer.lucky.Load() != 1 {
				t.Errorf("%v: %s; address %d", o.cause, o.explain(), engine.dialer.lucky.Load())
			}
			engine.dialer.last.Store(&resolved{addrs: []netip.AddrPort{nobody, nobody}})
			if o := play(engine, q); o.cause != CauseRefused || !strings.Contains(o.explain(), nobody.String()) {
				t.Errorf("%v: %s", o.cause, o.explain())
			}
		})
	}
}

func playByClient(e *httpEngine, q *request) (o outcome) {
	c := e.newClient()
	defer c.close()
	c.do(q, clock.Now().Add(20*time.Second), &o)
	return o
}

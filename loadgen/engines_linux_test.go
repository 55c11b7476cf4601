package loadgen

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// byGoroutines makes o be played by the engine of goroutines.
func byGoroutines(o Options) Options {
	o.Connect.Trace = func(bool, []byte) {}
	return o
}

// inPieces answers every request with text, so many bytes at a time.
func inPieces(text string, size int) func(*net.TCPConn, int) {
	return func(c *net.TCPConn, _ int) {
		for {
			if _, ok := readRequest(c); !ok {
				return
			}
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(c, rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}
	}
}

// thenSilence answers a request with pieces and then says nothing more.
func thenSilence(pieces ...string) func(*net.TCPConn, int) {
	return after(func(c *net.TCPConn) {
		for _, piece := range pieces {
			write(piece)(c)
		}
		hold(c)
	})
}

// Both engines for plain HTTP/1.1 give the same figures of the same server.
func TestEnginesAgree(t *testing.T) {
	const count = 12
	large := strings.Repeat("x", 3<<20)
	for name, c := range map[string]struct {
		handle  func(*net.TCPConn, int)
		request Request
		timeout units.Duration
	}{
		"interim": {handle: inPieces("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n"+answer, 7)},
		"trailer": {handle: inPieces("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n1\r\n!\r\n0\r\nX-A: b\r\nX-B: c\r\n\r\n", 5)},
		"head":    {handle: inPieces("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 9), request: Request{Method: "HEAD"}},
		"empty":   {handle: inPieces("HTTP/1.1 204 None\r\n\r\n", 3)},
		"to the end": {handle: func(c *net.TCPConn, _ int) {
			if _, ok := readRequest(c); ok {
				io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"+large)
			}
		}},
		"large answer": {handle: always("HTTP/1.1 200 OK\r\nContent-Length: 3145728\r\n\r\n" + large)},
		"large request": {request: Request{Method: "PUT", Body: large}, handle: func(c *net.TCPConn, _ int) {
			for r := bufio.NewReader(c); ; {
				q, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				n, err := io.Copy(io.Discard, q.Body)
				if err != nil || n != int64(len(large)) {
					return
				}
				if _, err := io.WriteString(c, answer); err != nil {
					return
				}
			}
		}},
		"lost on every other": {handle: func(c *net.TCPConn, _ int) {
			readRequest(c)
			io.WriteString(c, answer)
			readRequest(c)
		}},
		"reset in the body": {handle: after(func(c *net.TCPConn) {
			write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")(c)
			reset(c)
		})},
		"malformed in its second piece":   {handle: thenSilence("HTTP/1.1 2x", "0 OK\r\nA: b\r\n"), timeout: seconds(0.2)},
		"garbage after an interim answer": {handle: thenSilence("HTTP/1.1 100 Continue\r\n\r\n", "garbage"), timeout: seconds(0.2)},
		"garbage after":                   {handle: inPieces("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			pause := seconds(0)
			o := Options{URL: serve(t, c.handle), Stream: Stream{
				Closed: &Closed{Concurrency: 1, Keepalive: true}, Count: count, FailurePause: &pause, Requests: []Request{c.request}, Timeout: c.timeout,
			}}
			loops, goroutines := play(t, o), play(t, byGoroutines(o))
			if loops.Sent != count || loops.OK != goroutines.OK || loops.Failures != goroutines.Failures || loops.Retried != goroutines.Retried {
				t.Errorf("loops: %d good, %v, %d retried; goroutines: %d good, %v, %d retried; %v, %v", loops.OK, loops.Failures, loops.Retried,
					goroutines.OK, goroutines.Failures, goroutines.Retried, loops.Examples, goroutines.Examples)
			}
			// What comes before a reset may be lost with it.
			if loops.BytesOut != goroutines.BytesOut || loops.BytesIn != goroutines.BytesIn && name != "reset in the body" {
				t.Errorf("loops: %d in, %d out; goroutines: %d in, %d out", loops.BytesIn, loops.BytesOut, goroutines.BytesIn, goroutines.BytesOut)
			}
		})
	}
}

// silentResolver makes names unknown, but not before it is released.
func silentResolver(t *testing.T) (release chan struct{}) {
	release = make(chan struct{})
	system := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = system })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		select {
		case <-release:
			return nil, errors.New("no name server")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	return release
}

// A request that ends before the resolver answers ends once, under the cause of
// the name.
func TestNameThatIsResolvedTooLate(t *testing.T) {
	for name, by := range bothEngines {
		t.Run(name, func(t *testing.T) {
			release := silentResolver(t)
			pause, last := seconds(0.3), time.Duration(-1)
			g := newGenerator(t, by(Options{URL: "http://late.test/", Stream: Stream{
				Closed: &Closed{Concurrency: 1}, Count: 2, Timeout: seconds(0.1), FailurePause: &pause,
			}, Observe: func(_ int, r *Result) {
				if r.Start == last {
					t.Errorf("the request begun at %v ended twice", last)
				}
				last = r.Start
			}}))
			ended := make(chan error, 1)
			go func() { ended <- g.Run(t.Context()) }()
			for g.Snapshot().Failed == 0 {
				time.Sleep(time.Millisecond)
			}
			close(release) // while the client rests
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			rec := g.Recording()
			mustAddUp(t, rec)
			if rec.Sent != 2 || rec.Failures[CauseDNS] != 2 {
				t.Errorf("%d sent: %v %v", rec.Sent, rec.Failures, rec.Examples)
			}
		})
	}
}

// Connections that always have more to read do not keep deadlines from striking.
func TestDeadlineAmongEndlessBodies(t *testing.T) {
	const clients = 2*loopEvents + 50
	data := make([]byte, 1<<16)
	rec := play(t, Options{Stream: Stream{Closed: &Closed{Concurrency: clients}, Count: clients, Timeout: seconds(1)}, URL: serve(t, after(func(c *net.TCPConn) {
		write("HTTP/1.1 200 OK\r\n\r\n")(c)
		for {
			if _, err := c.Write(data); err != nil {
				return
			}
		}
	}))})
	if rec.Failures[CauseTimeout] != clients {
		t.Errorf("%d sent: %v %v", rec.Sent, rec.Failures, rec.Examples)
	}
}

// Nothing is sent by a run that was stopped, or given up, before it began.
func TestStoppedBeforeItBegins(t *testing.T) {
	for name, s := range map[string]Stream{"closed": {Closed: &Closed{Concurrency: 3}, Count: 10}, "open": {Open: &Open{Rate: 1000}, Count: 10}} {
		t.Run(name, func(t *testing.T) {
			g := newGenerator(t, Options{URL: serve(t, always(answer)), Epoch: clock.Now(), Stream: s})
			g.Stop()
			if err := g.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rec := g.Recording(); rec.Sent != 0 {
				t.Errorf("%d sent", rec.Sent)
			}
		})
	}
}

// Names of the two ways in which a test is played.
var bothEngines = map[string]func(Options) Options{"loops": func(o Options) Options { return o }, "goroutines": byGoroutines}

// The deadline covers connecting: to a server whose queue is full nobody gets.
func TestDeadlineOfConnecting(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	address := localAddr(fd).String()
	// Its queue holds one more than it was asked for.
	first, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for name, by := range bothEngines {
		t.Run(name, func(t *testing.T) {
			rec := play(t, by(Options{URL: "http://" + address + "/", Stream: Stream{Closed: &Closed{Concurrency: 2}, Count: 2, Timeout: seconds(0.2)}}))
			if rec.Failures[CauseTimeout] != 2 || !strings.Contains(rec.Examples[CauseTimeout], "dial") {
				t.Errorf("%v %v", rec.Failures, rec.Examples)
			}
		})
	}
}

// And sending: a peer that reads nothing takes what fits into its buffers.
func TestDeadlineOfSending(t *testing.T) {
	over := make(chan struct{})
	url := serve(t, func(*net.TCPConn, int) { <-over })
	defer close(over)
	for name, by := range bothEngines {
		t.Run(name, func(t *testing.T) {
			rec := play(t, by(Options{URL: url, Stream: Stream{
				Closed: &Closed{Concurrency: 2}, Count: 2, Timeout: seconds(0.3), Requests: []Request{{Method: "PUT", Body: strings.Repeat("x", 64<<20)}},
			}}))
			if rec.Failures[CauseTimeout] != 2 || !strings.Contains(rec.Examples[CauseTimeout], "write") {
				t.Errorf("%v %v", rec.Failures, rec.Examples)
			}
		})
	}
}

// IPv6 is spoken, by its literal address.
func TestIPv6(t *testing.T) {
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })}
	go server.Serve(ln)
	defer server.Close()
	for name, by := range bothEngines {
		t.Run(name, func(t *testing.T) {
			rec := play(t, by(Options{URL: "http://" + ln.Addr().String() + "/", Stream: Stream{
				Closed: &Closed{Concurrency: 2}, Count: 6, Requests: []Request{{Expect: Expect{Body: ln.Addr().String()}}},
			}}))
			if rec.OK != 6 {
				t.Errorf("%v %v", rec.Failures, rec.Examples)
			}
		})
	}
}

// A port that nobody listens on, and that the system gives to whoever connects to
// it, refuses like any other.
func TestNobodyTalksToItself(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	fd, _, err := openSocket(&dialer{local: address}, address)
	if !errors.Is(err, unix.ECONNREFUSED) {
		unix.Close(fd)
		t.Fatalf("connected to itself: %v", err)
	}
	// Nothing of it is left: the port is free at once.
	if ln, err = net.Listen("tcp", address.String()); err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

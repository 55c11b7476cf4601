package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
)

// serving is a server on a listener of its own.
type serving struct {
	*Server
	t     *testing.T
	ln    net.Listener
	entry *page.Entry
	ended chan error
}

func serve(t *testing.T, c Config) *serving {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := new(page.Entry)
	s := &serving{NewServer(New(Options{Config: c, Threads: 1, Entry: e}), discard()), t, ln, e, make(chan error, 1)}
	go func() { s.ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		ln.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Drain(ctx)
	})
	return s
}

// drain drains, in the background, within patience.
func (s *serving) drain() <-chan int {
	cut := make(chan int, 1)
	s.ln.Close()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		cut <- s.Drain(ctx)
	}()
	return cut
}

func (s *serving) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.ln.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func (s *serving) ask(conn net.Conn) *http.Response {
	s.t.Helper()
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	return s.read(conn)
}

func (s *serving) read(conn net.Conn) *http.Response {
	s.t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return r
}

func TestDrainWithoutConnections(t *testing.T) {
	s := serve(t, Config{})
	if cut := <-s.drain(); cut != 0 {
		t.Errorf("%d connections were cut off", cut)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func TestDrainTellsActiveClients(t *testing.T) {
	s := serve(t, Config{})
	conn := s.dial()
	if r := s.ask(conn); r.StatusCode != 200 || r.Close {
		t.Fatalf("before the drain: %+v", r)
	}
	s.grace = patience
	cut := s.drain()
	for !s.app.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	// The client that asks again in time is served once more, and told.
	if r := s.ask(conn); r.StatusCode != 200 || !r.Close {
		t.Errorf("while draining: %+v", r)
	}
	if n := <-cut; n != 0 {
		t.Errorf("%d connections were cut off", n)
	}
}

func TestDrainClosesIdleConnections(t *testing.T) {
	s := serve(t, Config{})
	used, fresh := s.dial(), s.dial()
	s.ask(used)
	if n := <-s.drain(); n != 0 {
		t.Errorf("%d connections were cut off", n)
	}
	for _, conn := range []net.Conn{used, fresh} {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("an idle connection is open after the drain")
		}
	}
}

func TestDrainFinishesRequests(t *testing.T) {
	s := serve(t, Config{Wait: units.Duration(100 * time.Millisecond)})
	conn := s.dial()
	answered := make(chan *http.Response, 1)
	go func() { answered <- s.ask(conn) }()
	for s.entry.InFlight.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	cut := s.drain()
	if r := <-answered; r.StatusCode != 200 || !r.Close {
		t.Errorf("a request in flight: %+v", r)
	}
	if n := <-cut; n != 0 {
		t.Errorf("%d connections were cut off", n)
	}
}

func TestDrainCutsOffWhatLasts(t *testing.T) {
	s := serve(t, Config{Wait: units.Duration(time.Hour)})
	conn := s.dial()
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for s.entry.InFlight.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.ln.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n := s.Drain(ctx); n != 1 {
		t.Errorf("%d connections were cut off, want 1", n)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("what was cut off is open")
	}
}

// pendingListener gives out connections with something to read that nobody
// reads, as on a machine that is busy.
type pendingListener struct {
	net.Listener
	slow chan struct{}
}

type pendingConn struct {
	net.Conn
	slow chan struct{}
}

func (l pendingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return pendingConn{c, l.slow}, err
}

func (c pendingConn) Read(p []byte) (int, error) {
	<-c.slow
	return c.Conn.Read(p)
}

func (c pendingConn) Pending() bool {
	select {
	case <-c.slow:
		return false
	default:
		return true
	}
}

func TestDrainServesWhatHasCome(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := pendingListener{inner, make(chan struct{})}
	s := &serving{NewServer(New(Options{Threads: 1, Entry: new(page.Entry)}), discard()), t, ln, nil, make(chan error, 1)}
	s.grace = time.Millisecond
	go func() { s.ended <- s.Serve(ln) }()
	conn := s.dial()
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for s.left(false) == 0 {
		time.Sleep(time.Millisecond)
	}
	cut := s.drain()
	time.AfterFunc(50*time.Millisecond, func() { close(ln.slow) })
	if r := s.read(conn); r.StatusCode != 200 {
		t.Errorf("a request that had come: %+v", r)
	}
	if n := <-cut; n != 0 {
		t.Errorf("%d connections were cut off", n)
	}
}

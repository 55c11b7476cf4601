package netproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("NETPROXY_ROLE"); role != "" {
		if err := playRole(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		for _, dir := range leftovers {
			os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}

// leftovers are the folders that are removed when all tests have run.
var leftovers []string

// playRole is this test binary as a proxy of its own: it says where it listens
// and ends with its standard input.
func playRole(role string) error {
	s, err := New(Options{portable: role == "portable"})
	if err != nil {
		return err
	}
	p, err := s.Add(Config{Name: "p", Listen: "127.0.0.1:0", Upstream: os.Getenv("NETPROXY_UPSTREAM"), Enabled: true})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(p.Config().Listen, "http://"+ln.Addr().String())
	return s.Serve(ctx, ln)
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// engines runs a test on the system's own engine and on the portable one.
func engines(t *testing.T, f func(t *testing.T, s *Server)) {
	for name, opts := range map[string]Options{"native": {loops: 1}, "loops": {loops: 3}, "portable": {portable: true}} {
		opts.Seed = 1
		t.Run(name, func(t *testing.T) { f(t, newServer(t, opts)) })
	}
}

func newServer(t testing.TB, opts Options) *Server {
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// upstream is a server that hands over its connections.
type upstream struct {
	ln    net.Listener
	conns chan *net.TCPConn
}

func newUpstream(t testing.TB) *upstream {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{ln: ln, conns: make(chan *net.TCPConn)}
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			select {
			case u.conns <- c.(*net.TCPConn):
			case <-stop:
				c.Close()
			}
		}
	}()
	t.Cleanup(func() { close(stop); ln.Close(); <-done })
	return u
}

func (u *upstream) addr() string { return u.ln.Addr().String() }

func (u *upstream) accept(t testing.TB) *net.TCPConn {
	t.Helper()
	select {
	case c := <-u.conns:
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(patience))
		return c
	case <-time.After(patience):
		t.Fatal("no connection came to the upstream")
		return nil
	}
}

func addProxy(t testing.TB, s *Server, upstream string) *Proxy {
	t.Helper()
	p, err := s.Add(Config{Name: "p", Listen: "127.0.0.1:0", Upstream: upstream, Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func dialProxy(t testing.TB, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Config().Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// link is a proxy with one connection through it.
func link(t testing.TB, s *Server) (p *Proxy, client, server *net.TCPConn) {
	t.Helper()
	u := newUpstream(t)
	p = addProxy(t, s, u.addr())
	client = dialProxy(t, p)
	server = u.accept(t)
	return p, client, server
}

func addToxic(t testing.TB, p *Proxy, dir Direction, a Attributes) Toxic {
	t.Helper()
	made, err := p.AddToxic(Toxic{Attributes: a, Stream: dir.String(), Toxicity: 1})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func write(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t testing.TB, c net.Conn, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != text {
		t.Fatalf("read %q (%v), want %q", b[:n], err, text)
	}
}

func expectEnd(t testing.TB, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 100)); err != io.EOF {
		t.Fatalf("read %d bytes, %v; want the end", n, err)
	}
}

// dialIntoReset dials and expects nothing but a reset: of the attempt to
// connect even, when that is the quicker one.
func dialIntoReset(t testing.TB, p *Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Config().Listen)
	if err != nil {
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	expectReset(t, c)
}

func expectReset(t testing.TB, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 100))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %d bytes, %v; want a reset", n, err)
	}
}

// silent checks that nothing comes for a while. It cannot fail by slowness.
func silent(t testing.TB, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := c.Read(make([]byte, 100))
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.Fatalf("read %d bytes, %v; want silence", n, err)
	}
	c.SetReadDeadline(time.Now().Add(patience))
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// random returns n bytes that are the same for the same seed.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(seed)})
	rng.Read(b)
	return b
}

// swap sends both bodies, each followed by an end, and checks what comes.
func swap(t testing.TB, client, server *net.TCPConn, request, reply []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for _, way := range []struct {
		from, to *net.TCPConn
		body     []byte
	}{{client, server, request}, {server, client, reply}} {
		wg.Add(2)
		go func() {
			defer wg.Done()
			if _, err := way.from.Write(way.body); err != nil {
				t.Error(err)
			}
			way.from.CloseWrite()
		}()
		go func() {
			defer wg.Done()
			got, err := io.ReadAll(way.to)
			if err != nil || !bytes.Equal(got, way.body) {
				t.Errorf("got %d bytes (%v), want the %d that were sent", len(got), err, len(way.body))
			}
		}()
	}
	wg.Wait()
}

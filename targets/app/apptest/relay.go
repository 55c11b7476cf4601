package apptest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hachaos/hachaos/targets/port"
)

// Relay passes TCP connections on to a server, and can stop doing so.
type Relay struct {
	Address string
	t       testing.TB
	to      string
	taken   atomic.Int64

	mu    sync.Mutex
	ln    net.Listener // nil while cut
	mute  bool
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

// NewRelay starts a relay to a server.
func NewRelay(t testing.TB, to string) *Relay {
	t.Helper()
	ln, err := port.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{Address: ln.Addr().String(), t: t, to: to, ln: ln, conns: map[net.Conn]struct{}{}}
	r.wg.Go(func() { r.accept(ln) })
	t.Cleanup(func() {
		r.Cut()
		r.wg.Wait()
	})
	return r
}

// Taken is how many connections it has accepted.
func (r *Relay) Taken() int64 { return r.taken.Load() }

// Cut ends all connections and refuses new ones.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ln != nil {
		r.ln.Close()
		r.ln = nil
	}
	for conn := range r.conns {
		conn.Close()
	}
}

// Mend lets connections through again, after Cut or Mute.
func (r *Relay) Mend() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mute = false
	if r.ln != nil {
		return
	}
	ln, err := port.Listen(r.Address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.ln = ln
	r.wg.Go(func() { r.accept(ln) })
}

// Mute ends all connections and accepts new ones, on which nothing is ever said.
func (r *Relay) Mute() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mute = true
	for conn := range r.conns {
		conn.Close()
	}
}

func (r *Relay) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		r.taken.Add(1)
		r.mu.Lock()
		r.conns[conn] = struct{}{}
		mute, cut := r.mute, r.ln != ln
		r.mu.Unlock()
		if cut {
			conn.Close()
		}
		r.wg.Go(func() {
			r.pass(conn, mute)
			conn.Close()
			r.mu.Lock()
			delete(r.conns, conn)
			r.mu.Unlock()
		})
	}
}

func (r *Relay) pass(conn net.Conn, mute bool) {
	if mute {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	server, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer server.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, conn)
		server.Close()
	})
	_, _ = io.Copy(conn, server)
	conn.Close()
	wg.Wait()
}

package netproxy

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestDownResetsAndRefuses(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		u := newUpstream(t)
		p := addProxy(t, s, u.addr())
		client := dialProxy(t, p)
		server := u.accept(t)
		addToxic(t, p, Downstream, &Down{})
		expectReset(t, client)
		expectReset(t, server)
		addr := p.Config().Listen
		if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dial while down: %v", err)
		}
		if got := p.Stats().Toxics[0]; got.Connections != 1 || got.Events != 1 {
			t.Errorf("counted %+v", got)
		}
		// The port stays ours.
		if ln, err := net.Listen("tcp", addr); err == nil && s.engine != nil && !isPortable(s) {
			ln.Close()
			t.Error("another could take the port")
		} else if err == nil {
			ln.Close()
		}
		if err := p.RemoveToxic("down_downstream"); err != nil {
			t.Fatal(err)
		}
		client = dialProxy(t, p)
		server = u.accept(t)
		write(t, client, "again")
		expect(t, server, "again")
	})
}

func isPortable(s *Server) bool { _, ok := s.engine.(*portable); return ok }

func TestFlapping(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		u := newUpstream(t)
		p := addProxy(t, s, u.addr())
		up := func() bool {
			c, err := net.Dial("tcp", p.Config().Listen)
			if err != nil {
				return false
			}
			c.Close()
			return true
		}
		addToxic(t, p, Downstream, &Flapping{Down: 30, Up: 30})
		for range 3 {
			eventually(t, "it is down", func() bool { return !up() })
			eventually(t, "it is up", up)
		}
		if err := p.RemoveToxic("flapping_downstream"); err != nil {
			t.Fatal(err)
		}
		if !up() {
			t.Error("it stays down without the toxic")
		}
	})
}

func TestRefuseFirstAndFailEvery(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		u := newUpstream(t)
		p := addProxy(t, s, u.addr())
		works := func() {
			t.Helper()
			client := dialProxy(t, p)
			server := u.accept(t)
			write(t, client, "hi")
			expect(t, server, "hi")
			client.Close()
			expectEnd(t, server)
		}
		addToxic(t, p, Upstream, &RefuseFirst{Connections: 2})
		dialIntoReset(t, p)
		dialIntoReset(t, p)
		works()
		works()
		p.RemoveToxic("refuse_first_upstream")
		addToxic(t, p, Upstream, &FailEvery{Connections: 3})
		for range 2 {
			works()
			works()
			dialIntoReset(t, p)
		}
		got := p.Stats()
		if got.Toxics[0].Connections != 2 || got.Toxics[1].Connections != 2 {
			t.Errorf("counted %+v", got)
		}
	})
}

func TestBlackholeIsSilentAndLosesNothing(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		u := newUpstream(t)
		p := addProxy(t, s, u.addr())
		client := dialProxy(t, p)
		server := u.accept(t)
		addToxic(t, p, Upstream, &Blackhole{})
		late := dialProxy(t, p)
		write(t, client, "held")
		write(t, server, "held too")
		write(t, late, "hello?")
		silent(t, server)
		silent(t, client)
		silent(t, late)
		if err := p.RemoveToxic("blackhole_upstream"); err != nil {
			t.Fatal(err)
		}
		expect(t, server, "held")
		expect(t, client, "held too")
		expect(t, u.accept(t), "hello?")
	})
}

func TestHalfOpen(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, server := link(t, s)
		addToxic(t, p, Downstream, &HalfOpen{})
		write(t, client, "request")
		expect(t, server, "request")
		write(t, server, "answer")
		server.CloseWrite()
		silent(t, client)
		write(t, client, "another")
		expect(t, server, "another")
		if err := p.RemoveToxic("half_open_downstream"); err != nil {
			t.Fatal(err)
		}
		expect(t, client, "answer")
		expectEnd(t, client)
	})
}

func TestResetPeerResets(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, server := link(t, s)
		addToxic(t, p, Upstream, &ResetPeer{})
		write(t, client, "x")
		expectReset(t, client)
		expectReset(t, server)
	})
}

func TestLimitDataAndTimeoutClose(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, server := link(t, s)
		addToxic(t, p, Downstream, &LimitData{Bytes: 3})
		write(t, server, "abcdef")
		expect(t, client, "abc")
		expectEnd(t, client)
		expectEnd(t, server)

		p, client, server = link2(t, s)
		addToxic(t, p, Downstream, &Timeout{Timeout: 20})
		write(t, server, "lost")
		expectEnd(t, client)
		expectEnd(t, server)
	})
}

func TestAClientThatNeverReadsIsBounded(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, server := link(t, s)
		addToxic(t, p, Downstream, &Latency{Latency: 1})
		server.SetWriteDeadline(time.Now().Add(time.Second))
		block := make([]byte, 1<<20)
		sent := int64(0)
		for {
			n, err := server.Write(block)
			sent += int64(n)
			if err != nil {
				break
			}
			if sent > 1<<30 {
				t.Fatal("it takes without bound")
			}
		}
		down := p.Stats().Downstream
		if held := down.Received - down.Sent; held > 17<<20 {
			t.Errorf("the proxy holds %d bytes", held)
		}
		if n, err := io.CopyN(io.Discard, client, sent); err != nil {
			t.Errorf("%d of %d bytes came: %v", n, sent, err)
		}
	})
}

func TestManyConnectionsAtOnce(t *testing.T) {
	s := newServer(t, Options{})
	u := newUpstream(t)
	p := addProxy(t, s, u.addr())
	const n = 1000
	var clients []*net.TCPConn
	for range n {
		clients = append(clients, dialProxy(t, p))
	}
	for range n {
		go func(c *net.TCPConn) {
			io.Copy(c, c)
			c.Close()
		}(u.accept(t))
	}
	for _, c := range clients {
		write(t, c, "hello")
	}
	for _, c := range clients {
		expect(t, c, "hello")
		c.Close()
	}
	eventually(t, "all end", func() bool { return p.Stats().Active == 0 })
}

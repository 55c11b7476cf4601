package netproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestBytesPass(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, server := link(t, s)
		write(t, client, "ping")
		expect(t, server, "ping")
		write(t, server, "pong")
		expect(t, client, "pong")
		swap(t, client, server, random(1, 20<<20), random(2, 3<<20))
		eventually(t, "the connection ends", func() bool { return p.Stats().Active == 0 })
		got := p.Stats()
		want := Bytes{20<<20 + 4, 20<<20 + 4}
		if got.Upstream != want || got.Downstream != (Bytes{3<<20 + 4, 3<<20 + 4}) || got.Connections != 1 {
			t.Errorf("counted %+v", got)
		}
	})
}

func TestHalfCloseBothWays(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		_, client, server := link(t, s)
		client.CloseWrite()
		expectEnd(t, server)
		write(t, server, "still here")
		expect(t, client, "still here")
		server.CloseWrite()
		expectEnd(t, client)

		_, client, server = link2(t, s)
		server.CloseWrite()
		expectEnd(t, client)
		write(t, client, "still here")
		expect(t, server, "still here")
	})
}

// link2 is link with a second proxy.
func link2(t testing.TB, s *Server) (p *Proxy, client, server *net.TCPConn) {
	t.Helper()
	if err := s.Remove("p"); err != nil {
		t.Fatal(err)
	}
	return link(t, s)
}

func TestResetPassesBothWays(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		_, client, server := link(t, s)
		server.SetLinger(0)
		server.Close()
		expectReset(t, client)

		_, client, server = link2(t, s)
		client.SetLinger(0)
		client.Close()
		expectReset(t, server)
	})
}

func TestResetAfterHalfClose(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		_, client, server := link(t, s)
		server.CloseWrite()
		expectEnd(t, client)
		server.SetLinger(0)
		server.Close()
		// The client cannot read it after an end; its writes tell it.
		eventually(t, "the client's writes fail", func() bool {
			_, err := client.Write([]byte("x"))
			return err != nil
		})
	})
}

func TestBackpressure(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, server := link(t, s)
		// A receiver that does not read stops the sender; the proxy holds little.
		client.SetWriteDeadline(time.Now().Add(time.Second))
		sent, err := io.Copy(client, bytes.NewReader(random(3, 100<<20)))
		if e, ok := err.(net.Error); !ok || !e.Timeout() {
			t.Fatalf("sent %d, %v; want the sender to be stopped", sent, err)
		}
		held := p.Stats().Upstream.Received - p.Stats().Upstream.Sent
		if held > 2<<20 {
			t.Errorf("the proxy holds %d bytes", held)
		}
		got := make([]byte, sent)
		if _, err := io.ReadFull(server, got); err != nil || !bytes.Equal(got, random(3, 100<<20)[:sent]) {
			t.Errorf("what was stopped did not arrive whole: %v", err)
		}
	})
}

func TestUpstreamRefuses(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		for _, upstream := range []string{"127.0.0.1:1", "localhost:1", "127.0.0.1", "no-such-host.invalid:80"} {
			p, err := s.Add(Config{Name: upstream, Listen: "127.0.0.1:0", Upstream: upstream, Enabled: true})
			if err != nil {
				t.Fatal(err)
			}
			dialIntoReset(t, p)
			if n := p.Stats().DialErrors; n != 1 {
				t.Errorf("%s: %d dial errors", upstream, n)
			}
		}
	})
}

func TestAProxyCannotBeItsOwnUpstream(t *testing.T) {
	s := newServer(t, Options{})
	addr := closedPort(t)
	if _, err := s.Add(Config{Name: "p", Listen: addr, Upstream: addr, Enabled: true}); err == nil {
		t.Error("it was made")
	}
}

func TestUpstreamByName(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		u := newUpstream(t)
		_, port, _ := net.SplitHostPort(u.addr())
		p := addProxy(t, s, "localhost:"+port)
		client := dialProxy(t, p)
		server := u.accept(t)
		write(t, client, "hello")
		expect(t, server, "hello")
	})
}

func closedPort(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestToxicsComeAndGoOnALiveConnection(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, server := link(t, s)
		body, reply := random(4, 8<<20), random(5, 8<<20)
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				for _, dir := range []Direction{Upstream, Downstream} {
					a, err := p.AddToxic(Toxic{Attributes: &Latency{Latency: int64(i % 3)}, Stream: dir.String(), Toxicity: 1})
					if err != nil {
						t.Error(err)
						return
					}
					b, err := p.AddToxic(Toxic{Attributes: &Slicer{AverageSize: 1000, SizeVariation: 900}, Stream: dir.String(), Toxicity: 1})
					if err != nil {
						t.Error(err)
						return
					}
					p.UpdateToxic(a.Name, &Latency{Latency: 1}, 1)
					p.RemoveToxic(a.Name)
					p.RemoveToxic(b.Name)
				}
			}
		}()
		swap(t, client, server, body, reply)
		close(stop)
		<-done
	})
}

func TestDisableAndEnable(t *testing.T) {
	engines(t, func(t *testing.T, s *Server) {
		p, client, _ := link(t, s)
		c := p.Config()
		c.Enabled = false
		if err := p.Update(c); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, client)
		if _, err := net.Dial("tcp", c.Listen); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dial a disabled proxy: %v", err)
		}
		c.Enabled = true
		if err := p.Update(c); err != nil {
			t.Fatal(err)
		}
		dialProxy(t, p)
	})
}

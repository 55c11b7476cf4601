package port

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestListenAvoidsOutgoingPorts(t *testing.T) {
	first, last := ephemeral()
	for range 50 {
		ln, err := Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p := ln.Addr().(*net.TCPAddr).Port
		ln.Close()
		if p >= first && p <= last {
			t.Fatalf("port %d lies among those of outgoing connections, %d to %d", p, first, last)
		}
	}
}

func TestListenSaysTaken(t *testing.T) {
	ln, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = Listen(ln.Addr().String())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), ln.Addr().String()+": address already in use (stop what listens there") {
		t.Errorf("listening twice: %v", err)
	}
	if _, err := Listen("127.0.0.1"); err == nil {
		t.Error("an address without a port was taken")
	}
}

func TestChoice(t *testing.T) {
	for _, c := range []struct{ first, last, low, high int }{
		{32768, 60999, 10000, 32768},
		{49152, 65535, 10000, 49152},
		{10100, 40000, 40001, 65536},
		{1024, 65535, 10000, 65536},
	} {
		if low, high := choice(c.first, c.last); low != c.low || high != c.high {
			t.Errorf("beside %d to %d: %d to %d, want %d to %d", c.first, c.last, low, high, c.low, c.high)
		}
	}
}

//go:build unix

package cluster

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/port"
)

// What came before a listener was closed is accepted, even if nobody gets to it
// in time, but not forever.
func TestSweptListenerLeavesNobody(t *testing.T) {
	ln, err := port.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l := &sweptListener{TCPListener: ln}
	dial := func() {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if !eventually(func() bool { return waits(l.TCPListener) }) {
			t.Fatal("nobody waits")
		}
	}
	late := func() {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		_ = ln.SetDeadline(time.Unix(1, 0)) // as if nobody had run in between
	}
	dial()
	dial()
	l.until.Store(int64(clock.Now().Add(patience))) // a busy machine is not what bounds this
	late()
	for range 2 {
		c, err := l.Accept()
		if err != nil {
			t.Fatalf("one that came before is lost: %v", err)
		}
		c.Close()
	}
	dial()
	late()
	l.until.Store(1) // long ago
	if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener accepts %v, %v", c, err)
	}
}

//go:build unix

package cluster

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// sweepFor is how long a listener that is being closed goes on accepting what
// came before: closing it resets connections that nobody has accepted.
const sweepFor = 20 * time.Millisecond

// sweptListener is a listener that is closed once its queue is empty.
type sweptListener struct {
	*net.TCPListener
	open    atomic.Int64 // connections that were accepted and not closed
	most    int64        // that may be open; 0: no limit
	tooMany func(*net.TCPConn)
}

// Accept returns net.ErrClosed a moment after Close.
func (l *sweptListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	for err == nil && l.most > 0 && l.open.Load() >= l.most {
		l.tooMany(c)
		c, err = l.AcceptTCP()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.TCPListener.Close()
		return nil, net.ErrClosed
	}
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &sweptConn{TCPConn: c, ln: l}, nil
}

// sweptConn is counted while it is open.
type sweptConn struct {
	*net.TCPConn
	ln     *sweptListener
	closed atomic.Bool
}

// Pending tells whether the client has sent what was not read yet.
func (c *sweptConn) Pending() bool {
	saw := over
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { saw = look(int(fd)) }) // a closed one has nothing
	}
	return saw == readable
}

// Close implements [net.Conn].
func (c *sweptConn) Close() error {
	if !c.closed.Swap(true) {
		c.ln.open.Add(-1)
	}
	return c.TCPConn.Close()
}

// Close lets Accept end.
func (l *sweptListener) Close() error { return l.SetDeadline(time.Now().Add(sweepFor)) }

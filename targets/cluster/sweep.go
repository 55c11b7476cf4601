//go:build unix

package cluster

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

const (
	// sweepFor is how long a listener that is being closed goes on accepting what
	// came before: closing it resets connections that nobody has accepted.
	sweepFor = 20 * time.Millisecond
	// maxSweep bounds that where there always is one more.
	maxSweep = time.Second
)

// sweptListener is a listener that is closed once its queue is empty.
type sweptListener struct {
	*net.TCPListener
	open    *atomic.Int64 // counts connections that were accepted and not closed; nil: nobody wants to know
	full    func() bool   // whether more are open than may be; nil: never
	tooMany func(*net.TCPConn)
	until   atomic.Int64 // [clock.Time] after which nothing more is accepted; 0: it is open
}

// Accept returns net.ErrClosed a moment after Close.
func (l *sweptListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptTCP()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && l.more():
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.TCPListener.Close()
			return nil, net.ErrClosed
		case err != nil:
			return nil, err
		case l.admit():
			return &sweptConn{TCPConn: c, ln: l}, nil
		default:
			l.tooMany(c)
		}
	}
}

// admit counts one more connection if there is room. It is counted before that is
// looked at: two masters that look at the same time find too many, never too few.
func (l *sweptListener) admit() bool {
	if l.open == nil {
		return true
	}
	l.open.Add(1)
	if l.full != nil && l.full() {
		l.open.Add(-1)
		return false
	}
	return true
}

// more lets what waits be accepted although the time is up: on a busy machine
// nobody may have looked before it was.
func (l *sweptListener) more() bool {
	if int64(clock.Now()) >= l.until.Load() || !waits(l.TCPListener) {
		return false
	}
	return l.SetDeadline(time.Now().Add(sweepFor)) == nil
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
	if !c.closed.Swap(true) && c.ln.open != nil {
		c.ln.open.Add(-1)
	}
	return c.TCPConn.Close()
}

// Close lets Accept end.
func (l *sweptListener) Close() error {
	l.until.CompareAndSwap(0, int64(clock.Now().Add(maxSweep)))
	return l.SetDeadline(time.Now().Add(sweepFor))
}

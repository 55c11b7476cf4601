//go:build unix

package cluster

import (
	"errors"
	"net"
	"os"
	"time"
)

// sweepFor is how long a listener that is being closed goes on accepting what
// came before: closing it resets connections that nobody has accepted.
const sweepFor = 20 * time.Millisecond

// sweptListener is a listener that is closed once its queue is empty.
type sweptListener struct{ *net.TCPListener }

// Accept returns net.ErrClosed a moment after Close.
func (l *sweptListener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.TCPListener.Close()
		return nil, net.ErrClosed
	}
	return c, err
}

// Close lets Accept end.
func (l *sweptListener) Close() error { return l.SetDeadline(time.Now().Add(sweepFor)) }

//go:build unix

package cluster

import (
	"context"
	"net"
	"sync/atomic"
)

// dialTo dials one address, whatever it is asked for.
func dialTo(d *net.Dialer, address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, address)
	}
}

// watchedTo is dialTo for connections that tell of their end.
func watchedTo(d *net.Dialer, address string) func(context.Context, string, string) (net.Conn, error) {
	dial := dialTo(d, address)
	return func(ctx context.Context, network, whatever string) (net.Conn, error) {
		c, err := dial(ctx, network, whatever)
		if err != nil {
			return nil, err
		}
		return &workerConn{Conn: c}, nil
	}
}

// workerConn is a connection to a worker. [http.Transport] sees that it has ended
// but goes on waiting for the client's body, which nobody wants any more.
type workerConn struct {
	net.Conn
	ended   atomic.Bool
	attempt atomic.Pointer[attempt] // that it is used for
}

func (c *workerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.ended.Store(true) // before it looks for who would want to know
		if a := c.attempt.Load(); a != nil {
			a.lose()
		}
	}
	return n, err
}

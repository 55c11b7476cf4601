//go:build unix

package cluster

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/targets/app"
)

// screenedConn is a client's connection to a worker that no proxy stands before:
// the worker itself refuses what two servers may read as different requests.
type screenedConn struct {
	screen
	conn *conn
	held atomic.Bool // something was read that the server has not seen
}

// screenConn screens a connection, with headers of up to limit bytes.
func screenConn(c net.Conn, limit int) net.Conn {
	own, ok := c.(*conn)
	if !ok {
		return c
	}
	s := &screenedConn{conn: own}
	s.screen.Conn, s.limit, s.headerTime, s.noUpgrades = holdingConn{own, &s.held}, limit, app.HeaderTimeout, true
	return s
}

// Read implements [net.Conn].
func (c *screenedConn) Read(p []byte) (int, error) {
	n, err := c.screen.Read(p)
	c.held.Store(len(c.in) > 0)
	return n, err
}

// headerGrace is how long a part of a request counts as one: who sends no more of it
// must not hold up the worker's end.
const headerGrace = time.Second

// Pending tells whether the client has sent what the server has not seen yet.
func (c *screenedConn) Pending() bool {
	if begun := c.begun.Load(); begun != 0 && time.Since(time.Unix(0, begun)) > headerGrace {
		return false
	}
	return c.held.Load() || c.conn.Pending()
}

// Arrival is what the connection arrived with.
func (c *screenedConn) Arrival() *app.Arrival { return c.conn.Arrival() }

// CloseWrite lets the client see an end while it can still be read.
func (c *screenedConn) CloseWrite() error { return c.conn.CloseWrite() }

// holdingConn notes what is read.
type holdingConn struct {
	*conn
	held *atomic.Bool
}

// Read implements [net.Conn].
func (c holdingConn) Read(p []byte) (int, error) {
	n, err := c.conn.Read(p)
	if n > 0 {
		c.held.Store(true)
	}
	return n, err
}

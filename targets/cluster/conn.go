//go:build unix

package cluster

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/targets/app"
	"golang.org/x/sys/unix"
)

// conn is a client's connection on a descriptor that came from elsewhere. It
// costs four system calls fewer than net.FileConn, and tells its arrival when
// the client keeps the server waiting.
type conn struct {
	file    *os.File
	raw     syscall.RawConn
	arrival *app.Arrival
	local   net.Addr
	remote  net.Addr
}

// newConn owns fd, which is non-blocking.
func newConn(fd int, local net.Addr, arrival *app.Arrival) (*conn, error) {
	c := &conn{file: os.NewFile(uintptr(fd), "tcp"), local: local, remote: &net.TCPAddr{}, arrival: arrival}
	if peer, err := unix.Getpeername(fd); err == nil {
		c.remote = tcpAddr(peer)
	}
	var err error
	if c.raw, err = c.file.SyscallConn(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func tcpAddr(a unix.Sockaddr) *net.TCPAddr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	}
	return &net.TCPAddr{}
}

// Arrival is what the connection arrived with.
func (c *conn) Arrival() *app.Arrival { return c.arrival }

// Pending tells whether the client has sent what was not read yet.
func (c *conn) Pending() bool {
	saw := over
	_ = c.raw.Control(func(fd uintptr) { saw = look(int(fd)) }) // a closed one has nothing
	return saw == readable
}

func (c *conn) Read(p []byte) (int, error) {
	if !c.arrival.Unread() {
		n, err := c.file.Read(p)
		return n, netError("read", err)
	}
	var n int
	var err error
	if werr := c.raw.Read(func(fd uintptr) bool {
		for {
			n, err = unix.Read(int(fd), p)
			if err != unix.EINTR {
				break
			}
		}
		if err == unix.EAGAIN {
			c.arrival.Blocked()
			return false
		}
		return true
	}); werr != nil {
		return 0, netError("read", werr)
	}
	if err != nil {
		return 0, netError("read", err)
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	return n, netError("write", err)
}

// Close ends the connection; the arrival's token is given back.
func (c *conn) Close() error {
	err := c.file.Close()
	c.arrival.End()
	return netError("close", err)
}

// CloseWrite lets the client see an end while it can still be read.
func (c *conn) CloseWrite() error {
	var err error
	if cerr := c.raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) }); cerr != nil {
		return cerr
	}
	return err
}

func (c *conn) LocalAddr() net.Addr                { return c.local }
func (c *conn) RemoteAddr() net.Addr               { return c.remote }
func (c *conn) SetDeadline(t time.Time) error      { return c.file.SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.file.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.file.SetWriteDeadline(t) }

// netError turns a file's error into what users of a net.Conn look for.
func netError(op string, err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded // a net.Error by itself
	case errors.Is(err, os.ErrClosed):
		err = net.ErrClosed
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return &net.OpError{Op: op, Net: "tcp", Err: err}
}

//go:build unix

package cluster

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/hachaos/hachaos/targets/port"
	"golang.org/x/sys/unix"
)

// listen opens the listener for clients. Connections inherit its options: no
// delay of small segments, as Go sets it.
func listen(address string) (*net.TCPListener, error) {
	ln, err := port.Listen(address)
	if err != nil {
		return nil, err
	}
	return ln, setOptions(ln)
}

// setOptions sets what a listener's connections inherit. It closes the listener
// if that fails.
func setOptions(ln *net.TCPListener) error {
	err := control(ln, func(fd int) error {
		return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), deferAccept(fd))
	})
	if err != nil {
		ln.Close()
	}
	return err
}

// listenShared opens one more listener on an address that others have open in
// the same way.
func listenShared(address string) (*net.TCPListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if cerr := raw.Control(func(fd uintptr) { err = reusePort(int(fd)) }); cerr != nil {
			return cerr
		}
		return err
	}}
	config.SetMultipathTCP(false)
	ln, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), setOptions(ln.(*net.TCPListener))
}

// detach turns a listener into its bare descriptor, which is non-blocking, so
// that connections can be accepted without the net package.
func detach(ln *net.TCPListener) (fd int, err error) {
	defer ln.Close()
	fd = -1
	cerr := control(ln, func(listener int) error {
		fd, err = unix.FcntlInt(uintptr(listener), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	return fd, cerr
}

func control(ln syscall.Conn, f func(fd int) error) error {
	raw, err := ln.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

// waits tells whether there is a connection to accept.
func waits(ln syscall.Conn) bool {
	n := 0
	err := control(ln, func(fd int) (err error) {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err
	})
	return err == nil && n > 0
}

// transient tells whether accepting may succeed later, or for the next one.
func transient(err error) bool {
	switch err {
	case unix.ECONNABORTED, unix.EPROTO, unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		return true
	}
	return false
}

package netproxy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tcpListener accepts on a loop.
type tcpListener struct {
	engine  *loops
	loop    *loop
	proxy   *Proxy
	fd      int
	address net.Addr

	// Of the loop.
	index, generation int32
	watched           bool
	breathless        bool // the last connection could not be accepted
	shutDown          bool
}

const (
	backlog = 4096
	breath  = 50 * time.Millisecond // when descriptors have run out
)

func (e *loops) listen(p *Proxy, addr string) (listener, error) {
	fd, address, err := listenTCP(addr)
	if err != nil {
		return nil, err
	}
	ln := &tcpListener{engine: e, loop: e.loops[0], proxy: p, fd: fd, address: address}
	ln.loop.do(func() {
		ln.index, ln.generation = ln.loop.take(nil, ln)
		err = ln.watch()
		if err != nil {
			ln.shut()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("watch the listener on %s: %w", addr, err)
	}
	return ln, nil
}

// listenTCP listens as net.Listen does, with its errors, and returns a
// descriptor that Go's own poller does not watch. A port that the system chose
// is bound anew by its number: only then does it stay ours while the listener
// is paused.
func listenTCP(addr string) (int, net.Addr, error) {
	for try := 0; ; try++ {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return -1, nil, err
		}
		_, port, _ := net.SplitHostPort(addr)
		if n, err := net.LookupPort("tcp", port); addr == "" || err == nil && n == 0 {
			chosen := ln.Addr().String()
			ln.Close()
			if ln, err = net.Listen("tcp", chosen); err != nil {
				if try < 10 && errors.Is(err, unix.EADDRINUSE) {
					continue
				}
				return -1, nil, err
			}
		}
		fd, err := descriptor(ln.(*net.TCPListener))
		address := ln.Addr()
		ln.Close()
		return fd, address, err
	}
}

// descriptor returns a descriptor of the listener that outlives it. What is
// set on it here is inherited by the connections that it accepts.
func descriptor(ln *net.TCPListener) (int, error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(p uintptr) { fd, dupErr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return -1, err
	}
	if dupErr != nil {
		return -1, os.NewSyscallError("dup", dupErr)
	}
	tune(fd)
	return fd, unix.Listen(fd, backlog)
}

// tune sets what every connection of a proxy has: no waiting for more to send,
// and a look at peers that have been silent for a minute.
func tune(fd int) {
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60)
}

func (ln *tcpListener) addr() net.Addr { return ln.address }

func (ln *tcpListener) watch() error {
	err := ln.loop.control(unix.EPOLL_CTL_ADD, ln.fd, unix.EPOLLIN, ln.index<<1, ln.generation)
	ln.watched = err == nil
	return err
}

func (ln *tcpListener) unwatch() {
	if ln.watched {
		ln.watched = false
		_ = ln.loop.control(unix.EPOLL_CTL_DEL, ln.fd, 0, 0, 0)
	}
}

// pause stops listening but keeps the port bound, so that connections are
// refused and nobody else can take it. What waits to be accepted is reset.
func (ln *tcpListener) pause() (err error) {
	ln.loop.do(func() {
		ln.unwatch()
		if err = os.NewSyscallError("shutdown", unix.Shutdown(ln.fd, unix.SHUT_RD)); err == nil {
			err = ln.share(0)
		}
	})
	return err
}

func (ln *tcpListener) resume() (err error) {
	ln.loop.do(func() {
		if err = ln.share(1); err != nil {
			return
		}
		if err = os.NewSyscallError("listen", unix.Listen(ln.fd, backlog)); err == nil {
			err = ln.watch()
		}
	})
	return err
}

// share lets others bind the port while nobody listens on it, which is what
// lets a server start again beside the connections of the one before; or not.
func (ln *tcpListener) share(on int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(ln.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, on))
}

func (ln *tcpListener) close() { ln.loop.do(ln.shut) }

func (ln *tcpListener) shut() {
	if ln.shutDown {
		return
	}
	ln.shutDown = true
	ln.unwatch()
	unix.Close(ln.fd)
	ln.loop.leave(ln.index)
}

func (ln *tcpListener) accept() {
	for range acceptBatch {
		fd, _, err := unix.Accept4(ln.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			ln.breathless = false
			ln.admit(fd)
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			ln.breathe(err)
			return
		default:
			return // nothing more is there
		}
	}
}

// breathe stops accepting for a moment when descriptors have run out; the
// clients wait in the backlog.
func (ln *tcpListener) breathe(err error) {
	ln.proxy.traffic.acceptFails.Add(1)
	if !ln.breathless {
		ln.proxy.server.log.Warn("cannot accept connections for now", "proxy", ln.proxy.name, "error", err)
	}
	ln.breathless = true
	ln.unwatch()
	l := ln.loop
	time.AfterFunc(breath, func() {
		l.post(func() {
			if !ln.shutDown && !ln.watched && !ln.paused() {
				_ = ln.watch()
			}
		})
	})
}

func (ln *tcpListener) paused() bool {
	v, err := unix.GetsockoptInt(ln.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err != nil || v == 0
}

// admit gives a new connection to the loops in turn.
func (ln *tcpListener) admit(fd int) {
	e, p := ln.engine, ln.proxy
	id := p.accepted.Add(1)
	l := e.loops[e.next%len(e.loops)]
	e.next++
	if l == ln.loop {
		newConn(e, l, p, id, fd)
		return
	}
	if !l.post(func() { newConn(e, l, p, id, fd) }) {
		unix.Close(fd)
	}
}

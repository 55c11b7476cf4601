//go:build unix

package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sharedListener accepts on an inherited listener, which all workers share, or
// those that follow each other in a slot.
type sharedListener struct {
	p    *workerProcess
	file *os.File
	raw  syscall.RawConn
	addr net.Addr

	mu      sync.Mutex
	closed  bool
	resumed chan struct{} // not nil: it rests until this is closed
}

func newSharedListener(file *os.File, addr net.Addr, p *workerProcess) (*sharedListener, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("use the inherited listener: %w", err)
	}
	return &sharedListener{p: p, file: file, raw: raw, addr: addr}, nil
}

// Accept waits until there is a connection and a processor is free for it, and
// then takes it if no other worker was faster. After Close it returns
// net.ErrClosed; if all workers go, only when no connection is left.
func (l *sharedListener) Accept() (net.Conn, error) {
	c, err := l.accept()
	if err != nil {
		l.file.Close() // nobody else uses it; clients of a worker that drains long would wait here
	}
	return c, err
}

func (l *sharedListener) accept() (net.Conn, error) {
	for {
		closed := l.await()
		if resumed := l.resting(); resumed != nil {
			select {
			case <-resumed:
				continue
			case <-l.p.link.leave:
			}
		}
		if closed && !l.p.link.last.Load() {
			return nil, net.ErrClosed // the others take what is left
		}
		arrival, err := l.p.app.Arrive(context.Background())
		if err != nil {
			return nil, err
		}
		var fd int
		var aerr error
		err = l.raw.Control(func(ln uintptr) { fd, aerr = accept(int(ln)) })
		if err == nil && aerr == nil {
			c, err := newConn(fd, l.addr, arrival)
			if err == nil {
				return c, nil
			}
			l.p.log.Warn("accept", "error", err)
			continue
		}
		arrival.End()
		switch {
		case err != nil:
			return nil, err
		case aerr == unix.EAGAIN && closed:
			return nil, net.ErrClosed
		case transient(aerr):
			time.Sleep(time.Millisecond) // until there are descriptors again
		case aerr != unix.EAGAIN:
			return nil, fmt.Errorf("accept: %w", aerr)
		}
	}
}

// await returns when there is a connection, or true when the listener is
// closed.
func (l *sharedListener) await() (closed bool) {
	// Readiness is asked for anew: others may have taken what woke this worker.
	return l.raw.Read(func(ln uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(ln), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	}) != nil
}

// rest accepts nothing until it is called again with false.
func (l *sharedListener) rest(rests bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case rests && l.resumed == nil:
		l.resumed = make(chan struct{})
		_ = l.file.SetReadDeadline(time.Unix(1, 0)) // wakes Accept
	case !rests && l.resumed != nil:
		close(l.resumed)
		l.resumed = nil
		if !l.closed {
			_ = l.file.SetReadDeadline(time.Time{})
		}
	}
}

// resting returns what is closed when it may accept again; nil if it may.
func (l *sharedListener) resting() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.resumed
}

// Close wakes Accept, which closes the descriptor when it is done with it.
func (l *sharedListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.file.SetReadDeadline(time.Unix(1, 0))
}

// Addr implements net.Listener.
func (l *sharedListener) Addr() net.Addr { return l.addr }

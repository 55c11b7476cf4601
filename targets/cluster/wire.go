//go:build unix

package cluster

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// kind says what a frame means.
type kind uint32

// From worker to master.
const (
	hello   kind = iota + 1 // the first frame: x slot, n life, m pid
	ready                   // it takes requests from now on, at port x if it has one
	taken                   // it has the connection n and is about to read it
	dropped                 // it left the connection n unread, since the master took it back; x is 1 if it has no room
	leaving                 // it was told by somebody else to go
)

// From master to worker.
const (
	handed    kind = iota + 101 // a connection comes along, by number n
	drain                       // finish what is there and go; x is 1 if all workers go
	exit                        // end at once with status x
	probed                      // a connection comes along on which to say that it lives
	unready                     // fail health checks from now on, and serve on
	rest                        // take no more connections for now
	resume                      // take them again
	broadcast                   // the value for all workers is n
	second                      // the wire of a standby comes along that hands over connections too
)

// From master to standby, which gets handed as well.
const (
	beat   kind = iota + 201 // the master is there, with x slots
	retire                   // end: there is to be no other master; x is 1 if the cluster goes on
	take                     // be master, of x slots
)

// From standby to master, which gets handed as well.
const (
	standing  kind = iota + 301 // it has all that it needs
	took                        // it is master
	introduce                   // the end of a wire comes along for the worker of slot x, life n
)

// frame is one message between master and worker. Its size is fixed, so that it
// needs no delimiter where sockets keep no message boundaries.
type frame struct {
	kind kind
	x    uint32
	n, m uint64
}

const frameSize = 24

// wire is one end of the connection between master and worker, which carries
// frames, and open files along with them.
type wire struct {
	conn *net.UnixConn

	taking sync.Mutex
	in     [frameSize]byte
	have   int // bytes of the next frame
	file   int // the descriptor that came with it, or -1
	oob    []byte
}

func newWire(conn *net.UnixConn) *wire {
	return &wire{conn: conn, file: -1, oob: make([]byte, unix.CmsgSpace(4))}
}

// dialWire connects a worker to its master.
func dialWire(path string) (*wire, error) {
	conn, err := net.DialUnix(wireNetwork, nil, &net.UnixAddr{Name: path, Net: wireNetwork})
	if err != nil {
		return nil, err
	}
	return newWire(conn), nil
}

// errFull says that the other side has not read for so long that there is no room
// for one more frame.
var errFull = errors.New("the other side does not read")

// send sends a frame, and a descriptor along with it unless fd is -1. The
// descriptor stays open here. Any goroutine may send. It never waits: whoever is
// frozen at the other side stops nobody here (errFull).
func (w *wire) send(f frame, fd int) error {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(to uintptr) { failed = w.put(int(to), f, fd) })
	return cmp.Or(err, failed)
}

// push is send, but waits for room until the time given.
func (w *wire) push(f frame, fd int, until time.Time) error {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return err
	}
	_ = w.conn.SetWriteDeadline(until) // an error says that it is closed
	var failed error
	err = raw.Write(func(to uintptr) bool {
		failed = w.put(int(to), f, fd)
		return failed != errFull
	})
	return cmp.Or(err, failed)
}

// put sends if there is room.
func (w *wire) put(to int, f frame, fd int) error {
	var out [frameSize]byte
	binary.LittleEndian.PutUint32(out[0:], uint32(f.kind))
	binary.LittleEndian.PutUint32(out[4:], f.x)
	binary.LittleEndian.PutUint64(out[8:], f.n)
	binary.LittleEndian.PutUint64(out[16:], f.m)
	var along []byte
	if fd >= 0 {
		along = unix.UnixRights(fd)
	}
	for {
		n, err := unix.SendmsgN(to, out[:], along, nil, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN || err == unix.ENOBUFS:
			return errFull
		case err == nil && n < frameSize: // a stream that was nearly full: what follows would be misread
			_ = w.conn.CloseWrite()
			return io.ErrShortWrite
		default:
			return err
		}
	}
}

// hear calls handle for each frame, with the descriptor that came with it or -1,
// until the other side ends (io.EOF), the deadline passes, or handle returns an
// error, which it then returns.
func (w *wire) hear(handle func(frame, int) error) error {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		failed = w.take(int(fd), handle)
		return failed != nil
	})
	return cmp.Or(err, failed)
}

// look handles what has come by now. Go's poller may be late by milliseconds in
// a process that computes; who knows a good moment need not wait for it.
func (w *wire) look(handle func(frame, int) error) {
	if raw, err := w.conn.SyscallConn(); err == nil {
		// What fails here fails in hear as well, which tells of it.
		_ = raw.Control(func(fd uintptr) { _ = w.take(int(fd), handle) })
	}
}

// take handles frames until there is none for now, when it returns nil.
func (w *wire) take(fd int, handle func(frame, int) error) error {
	w.taking.Lock()
	defer w.taking.Unlock()
	for {
		n, oobn, _, _, err := unix.Recvmsg(fd, w.in[w.have:], w.oob, unix.MSG_DONTWAIT|closeOnExec)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		case oobn > 0:
			if w.file, err = descriptor(w.oob[:oobn]); err != nil {
				return err
			}
		}
		if w.have += n; w.have < frameSize {
			continue
		}
		f := frame{
			kind: kind(binary.LittleEndian.Uint32(w.in[0:])),
			x:    binary.LittleEndian.Uint32(w.in[4:]),
			n:    binary.LittleEndian.Uint64(w.in[8:]),
			m:    binary.LittleEndian.Uint64(w.in[16:]),
		}
		file := w.file
		w.have, w.file = 0, -1
		if err := handle(f, file); err != nil {
			return err
		}
	}
}

// errEnoughHeard ends hear after one frame.
var errEnoughHeard = errors.New("enough")

// receive returns the next frame and the descriptor that came with it, or -1.
// The other side's end is io.EOF.
func (w *wire) receive() (f frame, fd int, err error) {
	err = w.hear(func(got frame, file int) error {
		f, fd = got, file
		return errEnoughHeard
	})
	if errors.Is(err, errEnoughHeard) {
		return f, fd, nil
	}
	return frame{}, -1, err
}

func descriptor(oob []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return -1, fmt.Errorf("read a descriptor: %w", err)
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil && len(fds) == 1 {
			return fds[0], nil
		}
	}
	return -1, errors.New("read a descriptor: there is none")
}

// deadline bounds the next receive; the zero time takes the bound away.
func (w *wire) deadline(t time.Time) { _ = w.conn.SetReadDeadline(t) }

// close ends the connection, so that a receive returns.
func (w *wire) close() { w.conn.Close() }

//go:build unix

package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
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
	dropped                 // it left the connection n unread, since the master took it back
	leaving                 // it was told by somebody else to go
)

// From master to worker.
const (
	handed kind = iota + 101 // a connection comes along, by number n
	drain                    // finish what is there and go; x is 1 if all workers go
	exit                     // end at once with status x
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
	in   [frameSize]byte
	oob  []byte
}

func newWire(conn *net.UnixConn) *wire {
	return &wire{conn: conn, oob: make([]byte, unix.CmsgSpace(4))}
}

// dialWire connects a worker to its master.
func dialWire(path string) (*wire, error) {
	conn, err := net.DialUnix(wireNetwork, nil, &net.UnixAddr{Name: path, Net: wireNetwork})
	if err != nil {
		return nil, err
	}
	return newWire(conn), nil
}

// send sends a frame, and a descriptor along with it unless fd is -1. The
// descriptor stays open here. Any goroutine may send.
func (w *wire) send(f frame, fd int) error {
	var out [frameSize]byte
	binary.LittleEndian.PutUint32(out[0:], uint32(f.kind))
	binary.LittleEndian.PutUint32(out[4:], f.x)
	binary.LittleEndian.PutUint64(out[8:], f.n)
	binary.LittleEndian.PutUint64(out[16:], f.m)
	if fd < 0 {
		_, err := w.conn.Write(out[:])
		return err
	}
	_, _, err := w.conn.WriteMsgUnix(out[:], unix.UnixRights(fd), nil)
	return err
}

// receive returns the next frame and the descriptor that came with it, or -1.
// The other side's end is io.EOF. One goroutine receives.
func (w *wire) receive() (f frame, fd int, err error) {
	fd = -1
	for have := 0; have < frameSize; {
		n, oobn, _, _, err := w.conn.ReadMsgUnix(w.in[have:], w.oob)
		switch {
		case err == nil && n == 0:
			err = io.EOF
		case err == nil && oobn > 0:
			fd, err = descriptor(w.oob[:oobn])
		}
		if err != nil {
			if fd >= 0 {
				unix.Close(fd)
			}
			return f, -1, err
		}
		have += n
	}
	f.kind = kind(binary.LittleEndian.Uint32(w.in[0:]))
	f.x = binary.LittleEndian.Uint32(w.in[4:])
	f.n = binary.LittleEndian.Uint64(w.in[8:])
	f.m = binary.LittleEndian.Uint64(w.in[16:])
	return f, fd, nil
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

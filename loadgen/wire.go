package loadgen

import (
	"errors"
	"os"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// wire is a TCP connection with a deadline that is cheap to move: setting one
// of Go's for every request would cost as much as parsing its answer. The one
// that is armed may be too early, left by an earlier request; when it strikes,
// the right one is armed and the call goes on.
type wire struct {
	*socket
	deadline clock.Time
	armed    clock.Time // 0: none
	peeker   peeker
	stamp    bool       // note in first when the next byte comes
	first    clock.Time // 0: none has come since it was set to 0
	looks    int        // that were taken after the deadline
}

// maxLooks bounds what is read after the deadline, of an answer that never ends.
const maxLooks = 64

func newWire(conn *socket) *wire { return &wire{socket: conn} }

// until moves the deadline of all that follows.
func (w *wire) until(deadline clock.Time) error {
	w.deadline, w.looks = deadline, 0
	if w.armed == 0 || w.armed > deadline {
		return w.arm()
	}
	return nil
}

func (w *wire) arm() error {
	w.armed = w.deadline
	return w.SetDeadline(time.Now().Add(w.deadline.Sub(clock.Now())))
}

// early tells whether err is a deadline that struck too early. It has then been
// put right.
func (w *wire) early(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && w.armed < w.deadline && w.arm() == nil
}

func (w *wire) Read(b []byte) (int, error) {
	for {
		n, err := w.socket.Read(b)
		if err == nil || n > 0 || !w.early(err) {
			if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				n, err = w.look(b, err)
			}
			if w.stamp && w.first == 0 {
				w.first = clock.Now()
			}
			return n, err
		}
	}
}

// look reads what is there although the deadline has struck, or returns that error.
// In a process that had no processor for a while timers strike before sockets are
// looked at, and the peer would be blamed for it.
func (w *wire) look(b []byte, struck error) (int, error) {
	if w.looks == maxLooks || !w.peek() || w.peeker.idle {
		return 0, struck
	}
	w.looks++
	w.armed = 0
	if err := w.SetReadDeadline(time.Time{}); err != nil {
		return 0, struck
	}
	n, err := w.socket.Read(b) // at once, as there is something
	if armed := w.arm(); err == nil {
		err = armed
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	sent := 0
	for {
		n, err := w.socket.Write(b[sent:])
		sent += n
		if err == nil || !w.early(err) {
			return sent, err
		}
	}
}

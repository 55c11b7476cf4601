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
}

func newWire(conn *socket) *wire { return &wire{socket: conn} }

// until moves the deadline of all that follows.
func (w *wire) until(deadline clock.Time) error {
	w.deadline = deadline
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
			if w.stamp && w.first == 0 {
				w.first = clock.Now()
			}
			return n, err
		}
	}
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

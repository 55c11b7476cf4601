//go:build unix && !linux

package loadgen

import "golang.org/x/sys/unix"

// peeker looks at a connection without waiting and without taking anything
// from it. It keeps its function, so that looking allocates nothing.
type peeker struct {
	look func(fd uintptr)
	idle bool // nothing has come
	data bool // something has come, and not the end
	end  bool // the peer has closed or reset it
}

func (p *peeker) init() {
	p.look = func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		p.idle = err == unix.EAGAIN || err == unix.EINTR
		p.data = err == nil && n > 0
		p.end = !p.idle && !p.data
	}
}

// peek looks at the connection. false: it could not be looked at.
func (w *wire) peek() bool {
	if w.peeker.look == nil {
		w.peeker.init()
	}
	return w.raw.Control(w.peeker.look) == nil
}

package loadgen

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

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
		// Raw: it never blocks, and the scheduler's bookkeeping would cost more
		// than the call.
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		p.idle = errno == unix.EAGAIN
		p.data = errno == 0 && n > 0
		p.end = !p.idle && !p.data
		if p.data {
			// The end may stand behind the data.
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
			_, err := unix.Poll(poll, 0)
			p.end = err == nil && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
		}
	}
}

// peek looks at the connection. false: it could not be looked at.
func (w *wire) peek() bool {
	if w.peeker.look == nil {
		w.peeker.init()
	}
	return w.raw.Control(w.peeker.look) == nil
}

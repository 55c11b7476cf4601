package loadgen

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

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

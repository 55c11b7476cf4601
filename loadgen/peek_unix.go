//go:build unix && !linux

package loadgen

import "golang.org/x/sys/unix"

func (p *peeker) init() {
	p.look = func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		p.idle = err == unix.EAGAIN || err == unix.EINTR
		p.data = err == nil && n > 0
		p.end = !p.idle && !p.data
	}
}

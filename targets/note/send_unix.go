//go:build unix

package note

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendNow sends without waiting, and tells whether there was no room. A listener
// that has gone is not told, and none of the sender's concern.
func sendNow(conn net.Conn, p []byte) (full bool) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Write(func(fd uintptr) bool {
		for {
			_, werr := unix.Write(int(fd), p)
			if werr == unix.EINTR {
				continue
			}
			full = werr == unix.EAGAIN || werr == unix.ENOBUFS
			return true
		}
	})
	return full && err == nil
}

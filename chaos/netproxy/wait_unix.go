//go:build unix

package netproxy

import (
	"cmp"
	"syscall"

	"golang.org/x/sys/unix"
)

// waitReadable waits until the connection has something to read or its end. It
// takes nothing but an error, which the system tells once: it is returned.
func waitReadable(raw syscall.RawConn) error {
	var seen error
	err := raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, seen = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return seen != unix.EAGAIN
	})
	return cmp.Or(err, seen)
}

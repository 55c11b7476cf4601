//go:build unix && !linux

package cluster

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// deferAccept does nothing: the master looks itself whether there is something
// to read.
func deferAccept(int) error { return nil }

// accept takes a connection as a non-blocking descriptor that children do not
// inherit, without making it known to Go's poller.
func accept(fd int) (int, error) {
	for {
		syscall.ForkLock.RLock()
		c, _, err := unix.Accept(fd)
		if err == nil {
			unix.CloseOnExec(c)
		}
		syscall.ForkLock.RUnlock()
		if err == unix.EINTR {
			continue
		}
		if err == nil {
			if err = unix.SetNonblock(c, true); err != nil {
				unix.Close(c)
			}
		}
		return c, err
	}
}

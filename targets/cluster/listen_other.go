//go:build unix && !linux

package cluster

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// deferAccept does nothing: the master looks itself whether there is something
// to read.
func deferAccept(int) error { return nil }

// reusePort refuses: elsewhere one of the listeners would get everything.
func reusePort(int) error {
	return errors.New("dispatch reuseport needs Linux, which alone spreads connections over listeners (use handoff or shared)")
}

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

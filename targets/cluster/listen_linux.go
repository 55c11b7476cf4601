package cluster

import "golang.org/x/sys/unix"

// deferAccept lets the kernel keep a new connection until it has something to
// read, for about a second.
func deferAccept(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1)
}

// reusePort lets other listeners of this user share the port.
func reusePort(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }

// accept takes a connection as a non-blocking descriptor that children do not
// inherit, without making it known to Go's poller.
func accept(fd int) (int, error) {
	for {
		c, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != unix.EINTR {
			return c, err
		}
	}
}

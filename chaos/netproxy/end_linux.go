package netproxy

import "golang.org/x/sys/unix"

// tell tells a side that no more comes.
func (c *conn) tell(to *side) {
	to.told = true
	_ = unix.Shutdown(to.fd, unix.SHUT_WR) // it fails when the peer is gone: that is read from it
}

// lose is called when a side takes nothing any more because its connection is
// dead. The other one is told, behind what it still has to get, unless a toxic
// keeps it from being told.
func (c *conn) lose(dir Direction) {
	receiver, back := &c.sides[1-dir], &c.flows[1-dir]
	if back.idle() {
		c.close(reset)
		return
	}
	c.flows[dir].out.drain()
	receiver.dead = true
	if !receiver.noted {
		c.breakOff(back, receiver)
	}
}

// close ends both connections: with a reset, or as if both had finished.
func (c *conn) close(how mark) {
	if c.ended {
		return
	}
	c.ended = true
	for i := range c.sides {
		fd := c.sides[i].fd
		switch {
		case fd < 0:
		case how == reset:
			abort(fd)
		default:
			c.discard(&c.sides[i])
			unix.Close(fd)
		}
	}
	for dir := range c.fast {
		c.fast[dir].pipe.release(c.loop, c.fast[dir].piped == 0)
	}
	c.loop.wakeAt(c, never)
	c.loop.leave(c.index)
	c.proxy.traffic.active.Add(-1)
}

// discard takes what a side has sent and nobody will read: closing would reset
// the connection, and could destroy what the side has yet to get.
func (c *conn) discard(s *side) {
	for range 4 {
		if s.finished || s.broken {
			return
		}
		if n, errno := receive(s.fd, c.loop.buffer); errno != 0 || n < len(c.loop.buffer) {
			return
		}
	}
}

// abort closes a socket so that its peer gets a reset.
func abort(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(fd)
}

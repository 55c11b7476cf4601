package netproxy

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// fast is how a flow without toxics is doing.
type fast struct {
	bulk  bool // the last reads filled the buffer: bytes go through a pipe
	small int  // how many reads in a row would have fitted in the buffer
	pipe  pipe
	piped int // bytes in the pipe
}

// pipe is what splice needs between two sockets: two descriptors, which are
// held only while bytes flow.
type pipe struct{ r, w int }

const pipeSize = 1 << 20

// pumpFast moves bytes of a flow that has no stages and nothing that waits.
// Small reads are copied through the loop's buffer. A connection whose reads
// fill it is spliced until its reads are small again.
func (c *conn) pumpFast(dir Direction, from, to *side) progress {
	fast := &c.fast[dir]
	if fast.piped > 0 || fast.bulk && from.readable && !from.finished {
		return c.splice(dir, from, to)
	}
	if !from.readable || from.finished {
		return done
	}
	b := c.loop.buffer
	n, errno := receive(from.fd, b)
	switch {
	case errno == unix.EAGAIN:
		from.readable = false
		return done
	case errno != 0:
		c.close(reset)
		return done
	case n == 0:
		from.finished = true
		c.tell(to)
		return done
	}
	c.proxy.traffic.received[dir].Add(int64(n))
	c.flows[dir].begun = true
	switch {
	case n == len(b):
		fast.bulk, fast.small = true, 0
	case !from.hungUp:
		from.readable = false // a short read: nothing was left
	}
	sent, errno := send(to.fd, b[:n])
	switch errno {
	case 0:
	case unix.EAGAIN:
		to.writable, sent = false, 0
	default:
		c.lose(dir)
		return done
	}
	c.proxy.traffic.sent[dir].Add(int64(sent))
	if sent < n {
		// The buffer goes with what is left in it; the loop takes another.
		to.writable = false
		c.flows[dir].out.push(chunk{bytes: b[sent:n], loan: b})
		c.loop.buffer = c.loop.borrow()
		return done
	}
	return progress(from.readable)
}

// splice moves bytes from socket to pipe to socket, without copying them.
func (c *conn) splice(dir Direction, from, to *side) progress {
	fast := &c.fast[dir]
	if fast.piped == 0 {
		if fast.pipe == (pipe{}) && !c.takePipe(dir) {
			fast.bulk = false
			return more
		}
		n, errno := spliceFD(from.fd, fast.pipe.w, pipeSize)
		switch {
		case errno == unix.EAGAIN:
			from.readable = false
			c.leavePipe(dir)
			return done
		case errno != 0:
			c.close(reset)
			return done
		case n == 0:
			from.finished = true
			c.leavePipe(dir)
			c.tell(to)
			return done
		}
		fast.piped = n
		c.proxy.traffic.received[dir].Add(int64(n))
		if n >= bufferSize/2 {
			fast.small = 0
		} else if fast.small++; fast.small >= 16 {
			fast.bulk = false
		}
	}
	for fast.piped > 0 {
		if !to.writable {
			if from.broken {
				c.close(reset) // the receiver takes nothing, and the sender is gone
			}
			return done
		}
		n, errno := spliceFD(fast.pipe.r, to.fd, fast.piped)
		switch {
		case errno == unix.EAGAIN:
			to.writable = false
			return done
		case errno != 0 || n == 0:
			c.lose(dir)
			return done
		}
		fast.piped -= n
		c.proxy.traffic.sent[dir].Add(int64(n))
	}
	if !fast.bulk {
		c.leavePipe(dir)
	}
	return more
}

func (c *conn) takePipe(dir Direction) bool {
	l := c.loop
	if n := len(l.pipes); n > 0 {
		c.fast[dir].pipe = l.pipes[n-1]
		l.pipes = l.pipes[:n-1]
		return true
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return false // out of descriptors: copying does it too
	}
	c.fast[dir].pipe = pipe{r: fds[0], w: fds[1]}
	// Refused when all pipes of the user together are too large: then it is smaller.
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize)
	return true
}

// leavePipe gives the pipe back. What is still in it waits in the flow from
// then on.
func (c *conn) leavePipe(dir Direction) {
	fast := &c.fast[dir]
	for fast.piped > 0 {
		b := make([]byte, min(fast.piped, bufferSize-1))
		n, err := unix.Read(fast.pipe.r, b)
		if err != nil || n <= 0 {
			break // cannot be: the bytes are there
		}
		fast.piped -= n
		c.flows[dir].out.push(chunk{bytes: b[:n]})
	}
	fast.pipe.release(c.loop, fast.piped == 0)
	fast.pipe, fast.piped, fast.bulk = pipe{}, 0, fast.bulk && fast.small < 16
}

// release keeps the pipe for the next connection, or closes it when it is not
// empty or there are enough.
func (p pipe) release(l *loop, empty bool) {
	switch {
	case p == (pipe{}):
	case empty && len(l.pipes) < pipeLimit:
		l.pipes = append(l.pipes, p)
	default:
		p.close()
	}
}

func (p pipe) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}

// The raw calls below never block, and the scheduler's bookkeeping would cost
// as much as a small one of them.

func receive(fd int, b []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func send(fd int, b []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func spliceFD(from, to, n int) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

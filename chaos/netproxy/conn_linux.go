package netproxy

import (
	"time"

	"golang.org/x/sys/unix"
)

// conn is a client's connection and the one to the upstream, on a loop.
type conn struct {
	session
	engine            *loops
	loop              *loop
	index, generation int32
	sides             [2]side // the client's, and the upstream's
	fast              [2]fast // of the flows, by direction
	dial              dial
	queued            bool // it stands in loop.again
	ended             bool

	wake  time.Duration // when it wants to be woken
	place int           // in the heap of alarms, from 1
}

// side is one of the two sockets.
type side struct {
	fd       int
	readable bool
	writable bool
	hungUp   bool // the peer has finished, or more
	broken   bool // the connection is dead
	finished bool // the end was read
	noted    bool // that it is dead was passed on
	dead     bool // it takes nothing any more
	told     bool // the end was passed on to it
}

const (
	clientSide = iota
	upstreamSide
)

// interest is what is asked of epoll, once for the life of a socket.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

func newConn(e *loops, l *loop, p *Proxy, id uint64, fd int) {
	c := &conn{session: session{proxy: p, id: id}, engine: e, loop: l, wake: never}
	c.sides[clientSide].fd, c.sides[upstreamSide].fd = fd, -1
	chain := *p.chain.Load()
	if by := p.admit(&c.session, chain); by != nil {
		abort(fd)
		return
	}
	p.traffic.active.Add(1)
	c.index, c.generation = l.take(c, nil)
	if err := l.control(unix.EPOLL_CTL_ADD, fd, interest, c.event(clientSide), c.generation); err != nil {
		p.server.log.Warn("cannot watch a connection", "proxy", p.name, "error", err)
		c.close(reset)
		return
	}
	c.setChain(chain, l.now)
	c.pump()
}

// event is the number of the events of a side.
func (c *conn) event(which int32) int32 { return c.index<<1 + which }

// ready notes what epoll says of a side, and uses it.
func (c *conn) ready(which int, events uint32) {
	s := &c.sides[which]
	if which == upstreamSide && !c.dial.connected && !c.connected() {
		return
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.readable = true
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.writable = true
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0 {
		s.hungUp = true
	}
	if events&unix.EPOLLERR != 0 {
		s.broken = true
	}
	c.pump()
}

// refresh takes the proxy's toxics as they are now.
func (c *conn) refresh() {
	for dir := range c.fast {
		c.leavePipe(Direction(dir))
	}
	c.setChain(*c.proxy.chain.Load(), c.loop.now)
	c.pump()
}

// pump does everything that can be done now.
func (c *conn) pump() {
	if !c.dial.connected {
		c.unconnected()
		return
	}
	share := 4 // reads of each direction, before others have their turn
	for {
		up := c.pumpFlow(Upstream)
		if c.ended {
			return
		}
		down := c.pumpFlow(Downstream)
		if c.ended {
			return
		}
		if up == done && down == done && !c.pending() {
			break
		}
		if share--; share == 0 {
			if !c.queued {
				c.queued = true
				c.loop.again = append(c.loop.again, c)
			}
			break
		}
	}
	if c.sides[clientSide].told && c.sides[upstreamSide].told {
		c.close(cut)
		return
	}
	if len(c.members) > 0 {
		c.loop.wakeAt(c, min(c.flows[Upstream].next(), c.flows[Downstream].next()))
	} else if c.wake != never {
		c.loop.wakeAt(c, never)
	}
}

// pending tells whether something can be written that was not there when its
// direction had its turn: a protocol toxic answers one direction in the other.
func (c *conn) pending() bool {
	for dir := range c.flows {
		if to := &c.sides[1-dir]; c.flows[dir].out.len() > 0 && (to.writable || to.dead || c.flows[dir].out.first().mark != data) {
			return true
		}
	}
	return false
}

// progress says whether a flow may have more to do at once.
type progress bool

const (
	done progress = false
	more progress = true
)

// pumpFlow moves one direction on.
func (c *conn) pumpFlow(dir Direction) progress {
	f := &c.flows[dir]
	from, to := &c.sides[dir], &c.sides[1-dir]
	if from.broken && from.finished && !from.noted {
		if f.idle() {
			c.close(reset)
			return done
		}
		c.breakOff(f, from)
	}
	if f.idle() {
		return c.pumpFast(dir, from, to)
	}
	progress := done
	if len(f.stages) > 0 {
		c.loop.now = time.Since(c.loop.started)
		if from.readable && !from.finished {
			progress = c.read(f, dir, from)
		}
		c.advance(c.loop.now)
	} else if from.broken && !from.finished && !to.writable {
		c.close(reset) // the receiver takes nothing, and the sender is gone
		return done
	}
	if c.write(f, dir, to) && !c.ended && (from.readable && f.accepts() && !from.finished) {
		return more
	}
	return progress
}

// read takes what a side has for a flow with toxics.
func (c *conn) read(f *flow, dir Direction, from *side) progress {
	if !f.accepts() {
		if from.broken && !f.held() {
			c.breakOff(f, from)
		}
		return done
	}
	b := c.loop.buffer[:readSize]
	n, errno := receive(from.fd, b)
	switch {
	case errno == unix.EAGAIN:
		from.readable = false
		return done
	case errno != 0:
		c.breakOff(f, from)
		return done
	case n == 0:
		from.finished = true
		f.take(chunk{mark: end, at: c.loop.now})
		return done
	}
	if n < len(b) && !from.hungUp {
		from.readable = false
	}
	c.proxy.traffic.received[dir].Add(int64(n))
	f.begun = true
	f.take(chunk{bytes: append([]byte(nil), b[:n]...), at: c.loop.now})
	return more
}

// breakOff passes on that a side was reset, behind what it had sent.
func (c *conn) breakOff(f *flow, from *side) {
	from.finished, from.noted = true, true
	f.take(chunk{mark: reset, at: c.loop.now})
}

// write gives the receiver what is for it. It returns false when something is
// left.
func (c *conn) write(f *flow, dir Direction, to *side) bool {
	for f.out.len() > 0 {
		first := f.out.first()
		switch first.mark {
		case end:
			f.out.pop()
			c.tell(to)
			continue
		case cut, reset:
			c.close(first.mark)
			return false
		}
		if to.dead {
			f.out.pop()
			continue
		}
		if !to.writable {
			return false
		}
		n, errno := send(to.fd, first.bytes)
		switch errno {
		case 0:
		case unix.EAGAIN:
			to.writable = false
			return false
		default:
			c.lose(dir)
			return false
		}
		c.proxy.traffic.sent[dir].Add(int64(n))
		switch {
		case n < len(first.bytes):
			to.writable = false
		case first.loan != nil:
			c.loop.give(first.loan)
		}
		f.out.skip(n)
	}
	return true
}

package netproxy

import (
	"io"
	"net"
	"sync"
	"time"
)

// pconn is a client's connection and the one to the upstream.
type pconn struct {
	session
	engine *portable
	socks  [2]*net.TCPConn // the client's, and the upstream's once there is one

	writing [2]sync.Mutex // one writer of a direction at a time

	mu    sync.Mutex // guards all else
	stir  sync.Cond  // something has changed
	timer *time.Timer
	told  [2]bool // directions whose end was passed on
	ended bool
	how   mark // it ended
}

func (e *portable) admit(p *Proxy, sock *net.TCPConn) {
	c := &pconn{session: session{proxy: p, id: p.accepted.Add(1)}, engine: e}
	c.socks[0] = sock
	c.stir.L = &c.mu
	if p.admit(&c.session, *p.chain.Load()) != nil {
		sock.SetLinger(0)
		sock.Close()
		return
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		sock.Close()
		return
	}
	e.conns[c] = struct{}{}
	e.running.Add(1)
	e.mu.Unlock()
	p.traffic.active.Add(1)
	c.mu.Lock()
	c.timer = time.AfterFunc(time.Hour, c.tick)
	c.setChain(*p.chain.Load(), e.now())
	c.mu.Unlock()
	go func() {
		defer e.running.Done()
		c.serve()
		e.mu.Lock()
		delete(e.conns, c)
		e.mu.Unlock()
		p.traffic.active.Add(-1)
	}()
}

func (c *pconn) serve() {
	c.mu.Lock()
	for c.blackholed() && !c.ended {
		c.stir.Wait()
	}
	ended := c.ended
	c.mu.Unlock()
	if ended {
		return
	}
	var d net.Dialer
	up, err := d.DialContext(c.engine.ctx, "tcp", *c.proxy.upstream.Load())
	c.mu.Lock()
	if err != nil {
		c.proxy.traffic.dialErrors.Add(1)
		c.proxy.server.log.Warn("cannot reach the upstream", "proxy", c.proxy.name, "upstream", *c.proxy.upstream.Load(), "error", err)
		c.close(reset)
	} else if c.ended {
		c.end(up.(*net.TCPConn)) // meanwhile
	} else {
		c.socks[1] = up.(*net.TCPConn)
		c.step()
	}
	ended = c.ended
	c.mu.Unlock()
	if ended {
		return
	}
	var both sync.WaitGroup
	for _, dir := range []Direction{Upstream, Downstream} {
		both.Go(func() { c.readAll(dir) })
		both.Go(func() { c.writeAll(dir) })
	}
	both.Wait()
}

// readAll takes what one side sends until it ends.
func (c *pconn) readAll(dir Direction) {
	from, f := c.socks[dir], &c.flows[dir]
	raw, err := from.SyscallConn()
	for {
		c.mu.Lock()
		for !f.accepts() && !c.ended {
			c.stir.Wait()
		}
		ended := c.ended
		c.mu.Unlock()
		if ended {
			return
		}
		// A buffer is taken only once there is something to read.
		if err == nil {
			err = waitReadable(raw)
		}
		buffer := c.engine.buffers.Get().(*[readSize]byte)
		n := 0
		if err == nil {
			n, err = from.Read(buffer[:])
		}
		c.received(dir, buffer[:n])
		c.engine.buffers.Put(buffer)
		if err != nil {
			c.mu.Lock()
			m := reset
			if err == io.EOF {
				m = end
			}
			f.take(chunk{mark: m, at: c.engine.now()})
			c.step()
			c.mu.Unlock()
			return
		}
	}
}

// received passes on what was read: to the other side at once while no toxic is
// in the way.
func (c *pconn) received(dir Direction, b []byte) {
	if len(b) == 0 {
		return
	}
	c.proxy.traffic.received[dir].Add(int64(len(b)))
	c.writing[dir].Lock()
	c.mu.Lock()
	f := &c.flows[dir]
	f.begun = true
	if f.idle() && !c.ended {
		c.mu.Unlock()
		n, err := c.socks[1-dir].Write(b)
		c.writing[dir].Unlock()
		c.proxy.traffic.sent[dir].Add(int64(n))
		if err != nil {
			c.mu.Lock()
			c.lose(dir)
			c.mu.Unlock()
		}
		return
	}
	c.writing[dir].Unlock()
	f.take(chunk{bytes: append([]byte(nil), b...), at: c.engine.now()})
	c.step()
	c.mu.Unlock()
}

// writeAll gives one side what the toxics let through.
func (c *pconn) writeAll(dir Direction) {
	f := &c.flows[dir]
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for f.out.len() == 0 && !c.ended {
			c.stir.Wait()
		}
		if c.ended {
			return
		}
		first := *f.out.first()
		switch first.mark {
		case end:
			f.out.pop()
			c.socks[1-dir].CloseWrite()
			c.told[dir] = true
			if c.told[1-dir] {
				c.close(cut)
			}
			continue
		case cut, reset:
			c.close(first.mark)
			return
		}
		c.mu.Unlock()
		c.writing[dir].Lock()
		n, err := c.socks[1-dir].Write(first.bytes)
		c.writing[dir].Unlock()
		c.proxy.traffic.sent[dir].Add(int64(n))
		c.mu.Lock()
		if c.ended {
			return
		}
		f.out.pop()
		if err != nil {
			f.out.drain()
			c.lose(dir)
		}
		c.step()
	}
}

// lose is called when the receiver of a direction is dead: its sender is told,
// unless a toxic keeps it from being told.
func (c *pconn) lose(dir Direction) {
	if back := &c.flows[1-dir]; back.idle() {
		c.close(reset)
	} else if !back.held() {
		back.take(chunk{mark: reset, at: c.engine.now()})
	}
	c.step()
}

// step moves what is due and sets the timer for what is not.
func (c *pconn) step() {
	if c.ended {
		return
	}
	now := c.engine.now()
	if next := c.advance(now); next == never {
		c.timer.Stop()
	} else {
		c.timer.Reset(next - now)
	}
	c.stir.Broadcast()
}

func (c *pconn) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step()
}

// close ends both connections: with a reset, or as if both had finished.
func (c *pconn) close(how mark) {
	if c.ended {
		return
	}
	c.ended, c.how = true, how
	c.timer.Stop()
	for _, sock := range c.socks {
		if sock != nil {
			c.end(sock)
		}
	}
	c.stir.Broadcast()
}

// end closes one of the connections as the whole has ended.
func (c *pconn) end(sock *net.TCPConn) {
	if c.how == reset {
		sock.SetLinger(0)
	}
	sock.Close()
}

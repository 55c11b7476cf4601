package netproxy

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// portable is the engine of systems without a loop of their own: goroutines,
// on Go's network poller and its timers, which are late by up to a millisecond.
type portable struct {
	started time.Time
	ctx     context.Context // ends with the engine
	cancel  context.CancelFunc
	buffers sync.Pool
	running sync.WaitGroup

	mu     sync.Mutex
	conns  map[*pconn]struct{}
	closed bool
}

func newPortable() engine {
	e := &portable{started: time.Now(), conns: map[*pconn]struct{}{}}
	e.buffers.New = func() any { return new([readSize]byte) }
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

func (e *portable) now() time.Duration { return time.Since(e.started) }

func (e *portable) listen(p *Proxy, addr string) (listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &portableListener{engine: e, proxy: p, address: ln.Addr()}
	l.serve(ln)
	return l, nil
}

func (e *portable) of(p *Proxy) []*pconn {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []*pconn
	for c := range e.conns {
		if c.proxy == p {
			list = append(list, c)
		}
	}
	return list
}

func (e *portable) refresh(p *Proxy) {
	for _, c := range e.of(p) {
		c.mu.Lock()
		if !c.ended {
			c.setChain(*p.chain.Load(), e.now())
			c.step()
		}
		c.mu.Unlock()
	}
}

func (e *portable) end(p *Proxy, how mark) int {
	list := e.of(p)
	for _, c := range list {
		c.mu.Lock()
		c.close(how)
		c.mu.Unlock()
	}
	return len(list)
}

func (e *portable) close() {
	e.mu.Lock()
	e.closed = true
	list := slices.Collect(maps.Keys(e.conns))
	e.mu.Unlock()
	e.cancel()
	for _, c := range list {
		c.mu.Lock()
		c.close(cut)
		c.mu.Unlock()
	}
	e.running.Wait()
}

type portableListener struct {
	engine  *portable
	proxy   *Proxy
	address net.Addr

	ln   net.Listener
	done chan struct{}
}

func (l *portableListener) addr() net.Addr { return l.address }

func (l *portableListener) serve(ln net.Listener) {
	done := make(chan struct{})
	l.ln, l.done = ln, done
	l.engine.running.Add(1)
	go func() {
		defer l.engine.running.Done()
		defer close(done)
		for {
			c, err := ln.Accept()
			switch {
			case err == nil:
				l.engine.admit(l.proxy, c.(*net.TCPConn))
			case errors.Is(err, net.ErrClosed):
				return
			default: // out of descriptors, most likely
				l.proxy.traffic.acceptFails.Add(1)
				select {
				case <-time.After(50 * time.Millisecond):
				case <-l.engine.ctx.Done():
				}
			}
		}
	}()
}

func (l *portableListener) pause() error {
	err := l.ln.Close()
	<-l.done
	return err
}

func (l *portableListener) resume() error {
	ln, err := net.Listen("tcp", l.address.String())
	if err == nil {
		l.serve(ln)
	}
	return err
}

func (l *portableListener) close() {
	l.ln.Close() // it may be paused, and closed already
	<-l.done
}

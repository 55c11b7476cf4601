package netproxy

import (
	"runtime"
	"sync"
	"time"
)

// loops is the engine of Linux.
type loops struct {
	loops []*loop
	next  int // of the listener's loop only
	dials sync.WaitGroup
}

// newEngine starts n loops: at 0 half as many as there are processors, as the
// two sides of every connection want some too.
func newEngine(n int) (engine, error) {
	e := &loops{}
	if n == 0 {
		n = min(max(runtime.GOMAXPROCS(0)/2, 1), 4)
	}
	for range n {
		l, err := newLoop()
		if err != nil {
			e.close()
			return nil, err
		}
		e.loops = append(e.loops, l)
	}
	return e, nil
}

func (e *loops) refresh(p *Proxy) {
	for _, l := range e.loops {
		l.do(func() {
			l.now = time.Since(l.started)
			l.conns(p, func(c *conn) { c.refresh() })
		})
	}
}

func (e *loops) end(p *Proxy, how mark) int {
	n := 0
	for _, l := range e.loops {
		l.do(func() {
			l.conns(p, func(c *conn) {
				c.close(how)
				n++
			})
		})
	}
	return n
}

func (e *loops) close() {
	for _, l := range e.loops {
		l.close()
	}
	e.dials.Wait()
}

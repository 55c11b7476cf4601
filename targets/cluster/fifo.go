//go:build unix

package cluster

import "sync/atomic"

// fifo is a line of connections, a ring that grows.
type fifo struct {
	ring []*client
	head int
	n    int
	held *atomic.Int64 // where others see n; nil: nowhere
}

func (f *fifo) len() int { return f.n }

// push adds one at the end.
func (f *fifo) push(c *client) {
	f.grow()
	f.ring[(f.head+f.n)%len(f.ring)] = c
	f.is(f.n + 1)
}

// unshift adds one at the front.
func (f *fifo) unshift(c *client) {
	f.grow()
	f.head = (f.head + len(f.ring) - 1) % len(f.ring)
	f.ring[f.head] = c
	f.is(f.n + 1)
}

// first is the first one. There must be one.
func (f *fifo) first() *client { return f.ring[f.head] }

// pop takes the first one. There must be one.
func (f *fifo) pop() *client {
	c := f.ring[f.head]
	f.ring[f.head] = nil
	f.head = (f.head + 1) % len(f.ring)
	f.is(f.n - 1)
	return c
}

// is sets the length.
func (f *fifo) is(n int) {
	f.n = n
	if f.held != nil {
		f.held.Store(int64(n))
	}
}

func (f *fifo) grow() {
	if f.n < len(f.ring) {
		return
	}
	ring := make([]*client, max(64, 2*len(f.ring)))
	for i := range f.n {
		ring[i] = f.ring[(f.head+i)%len(f.ring)]
	}
	f.ring, f.head = ring, 0
}

//go:build unix

package cluster

// fifo is a line of connections, a ring that grows.
type fifo struct {
	ring  []*client
	first int
	n     int
}

func (f *fifo) len() int { return f.n }

// push adds one at the end.
func (f *fifo) push(c *client) {
	f.grow()
	f.ring[(f.first+f.n)%len(f.ring)] = c
	f.n++
}

// unshift adds one at the front.
func (f *fifo) unshift(c *client) {
	f.grow()
	f.first = (f.first + len(f.ring) - 1) % len(f.ring)
	f.ring[f.first] = c
	f.n++
}

// pop takes the first one. There must be one.
func (f *fifo) pop() *client {
	c := f.ring[f.first]
	f.ring[f.first] = nil
	f.first = (f.first + 1) % len(f.ring)
	f.n--
	return c
}

func (f *fifo) grow() {
	if f.n < len(f.ring) {
		return
	}
	ring := make([]*client, max(64, 2*len(f.ring)))
	for i := range f.n {
		ring[i] = f.ring[(f.first+i)%len(f.ring)]
	}
	f.ring, f.first = ring, 0
}

package loadgen

import "time"

// maxGoods bounds the steps of [Goods]: ten minutes of [CellWidth], 240 KiB.
const maxGoods = 60_000

// Goods counts good answers by the moment they finished, in steps of Width:
// that of cells for ten minutes, twice as much after each doubling of that time,
// so that memory stays bounded.
type Goods struct {
	Width time.Duration
	N     []uint32 // N[i] finished in [i·Width, (i+1)·Width)
}

func (g *Goods) add(at time.Duration) {
	if g.Width == 0 {
		g.Width = CellWidth
	}
	for at >= maxGoods*g.Width {
		g.widen()
	}
	g.put(int(max(0, at)/g.Width), 1)
}

func (g *Goods) put(i int, n uint32) {
	for len(g.N) <= i {
		g.N = append(g.N, 0)
	}
	g.N[i] += n
}

// widen merges each step with its neighbour.
func (g *Goods) widen() {
	for i, n := range g.N {
		if i%2 == 0 {
			g.N[i/2] = n
		} else {
			g.N[i/2] += n
		}
	}
	g.N = g.N[:(len(g.N)+1)/2]
	g.Width *= 2
}

func (g Goods) clone() Goods { return Goods{g.Width, append([]uint32(nil), g.N...)} }

// Last returns the end of the step in which the last one finished; 0 without any.
func (g Goods) Last() time.Duration {
	for i := len(g.N) - 1; i >= 0; i-- {
		if g.N[i] > 0 {
			return time.Duration(i+1) * g.Width
		}
	}
	return 0
}

// Merge returns the counts of both, in the wider one's steps.
func (g Goods) Merge(h Goods) Goods {
	a, b := g.clone(), h.clone()
	switch {
	case a.Width == 0:
		return b
	case b.Width == 0:
		return a
	}
	for a.Width < b.Width {
		a.widen()
	}
	for b.Width < a.Width {
		b.widen()
	}
	for i, n := range b.N {
		a.put(i, n)
	}
	return a
}

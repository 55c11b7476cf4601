package loadgen

import (
	"cmp"
	"slices"
)

// maxCells bounds the cells of one shard: hours of nothing but failures.
const maxCells = 1 << 17

// cells counts failed and retried requests by the cells they started and
// finished in. When there are too many they are folded into tenfold coarser
// ones, named by their first cell, so that memory stays bounded.
type cells struct {
	counts map[cellKey]cellCount
	grain  int32 // how many cells are folded into one; 0 is 1
}

type cellKey struct{ start, finish int32 }

type cellCount struct{ failed, retried int32 }

func (c *cells) add(start, finish int32, n cellCount) {
	if c.counts == nil {
		c.counts, c.grain = map[cellKey]cellCount{}, 1
	}
	c.put(start, finish, n)
	for len(c.counts) > maxCells {
		old := c.counts
		c.counts, c.grain = map[cellKey]cellCount{}, c.grain*10
		for k, n := range old {
			c.put(k.start, k.finish, n)
		}
	}
}

func (c *cells) put(start, finish int32, n cellCount) {
	key := cellKey{start - start%c.grain, finish - finish%c.grain}
	sum := c.counts[key]
	c.counts[key] = cellCount{sum.failed + n.failed, sum.retried + n.retried}
}

// sorted returns the cells by start, then finish, then grain.
func (c *cells) sorted() []Cell {
	list := make([]Cell, 0, len(c.counts))
	for k, n := range c.counts {
		list = append(list, Cell{Start: k.start, Finish: k.finish, Failed: n.failed, Retried: n.retried, Grain: c.grain})
	}
	slices.SortFunc(list, compareCells)
	return list
}

func compareCells(a, b Cell) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Finish, b.Finish), cmp.Compare(a.Grain, b.Grain))
}

// mergeCells merges two sorted lists.
func mergeCells(a, b []Cell) []Cell {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, compareCells)
	merged := all[:0]
	for _, c := range all {
		if n := len(merged); n > 0 && compareCells(merged[n-1], c) == 0 {
			merged[n-1].Failed += c.Failed
			merged[n-1].Retried += c.Retried
		} else {
			merged = append(merged, c)
		}
	}
	return merged
}

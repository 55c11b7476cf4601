package loadgen

import (
	"testing"
	"time"
)

// Hours of answers take no more memory than minutes of them, and none is lost.
func TestGoodsStayBounded(t *testing.T) {
	var g Goods
	for at := time.Duration(0); at < 3*time.Hour; at += 100 * time.Millisecond {
		g.add(at)
	}
	if len(g.N) > maxGoods {
		t.Errorf("%d steps", len(g.N))
	}
	if want := CellWidth << 5; g.Width != want { // 3 h ÷ 10 min is more than 16
		t.Errorf("steps of %v, want %v", g.Width, want)
	}
	if got := total(g); got != 3*36000 {
		t.Errorf("%d answers", got)
	}
}

func TestGoodsMerge(t *testing.T) {
	var a, b Goods
	a.add(15 * time.Millisecond)
	b.add(25 * time.Millisecond)
	b.add(maxGoods * CellWidth) // of twice the width
	m := a.Merge(b)
	if m.Width != 2*CellWidth || m.N[0] != 1 || m.N[1] != 1 || total(m) != 3 {
		t.Errorf("merged into steps of %v: %v…", m.Width, m.N[:3])
	}
	if m := (Goods{}).Merge(a); total(m) != 1 {
		t.Errorf("merged with nothing: %v", m)
	}
	if a.Width != CellWidth || total(a) != 1 {
		t.Error("merging changed what was merged")
	}
}

func TestLastGood(t *testing.T) {
	var g Goods
	if got := g.Last(); got != 0 {
		t.Errorf("of none %v", got)
	}
	g.add(25 * time.Millisecond)
	if got := g.Last(); got != 30*time.Millisecond {
		t.Errorf("of one at 25 ms %v", got)
	}
	g.N = append(g.N, 0)
	if got := g.Last(); got != 30*time.Millisecond {
		t.Errorf("with an empty step after it %v", got)
	}
}

func total(g Goods) (n int) {
	for _, k := range g.N {
		n += int(k)
	}
	return n
}

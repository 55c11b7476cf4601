package reports

import (
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

// longestGap returns the longest time in which none of the streams got a good
// answer while they were [active]; nil if no request was made. It is known to a
// step of [loadgen.Goods], 10 ms: what is as short as two of them is no gap.
func longestGap(length time.Duration, recs ...*loadgen.Recording) *float64 {
	if len(recs) == 0 {
		return nil
	}
	var goods loadgen.Goods
	var sent, ok int64
	for _, rec := range recs {
		goods = goods.Merge(rec.Goods)
		sent, ok = sent+counted(rec), ok+rec.OK
	}
	if sent == 0 || ok > 0 && len(goods.N) == 0 { // no request, or not known when they ended
		return nil
	}
	start, end := active(length, recs)
	longest, last := time.Duration(0), start
	for i, n := range goods.N {
		if n == 0 {
			continue
		}
		at := time.Duration(i) * goods.Width
		longest = max(longest, at-last)
		last = at + goods.Width
	}
	if longest = max(longest, end-last); longest <= 2*goods.Width {
		longest = 0
	}
	return known(seconds(longest))
}

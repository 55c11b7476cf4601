package app

import (
	"runtime"
	"sync"
	"time"
)

// burn uses d of processor time: it computes as many slices as fit d when
// nothing else runs. Windows counts a thread's time in ticks of 15.6 ms, too
// coarse to look at.
func burn(d time.Duration) {
	x := uint64(1)
	for range int(d/sliceTime()) + 1 {
		x = compute(x, slice)
	}
	runtime.KeepAlive(x)
}

// sliceTime is the shortest of several measurements of a slice, the one that
// nothing interrupted.
var sliceTime = sync.OnceValue(func() time.Duration {
	const slices = 20
	best, x := time.Duration(1<<63-1), uint64(1)
	for range 50 {
		start := time.Now()
		for range slices {
			x = compute(x, slice)
		}
		best = min(best, time.Since(start))
	}
	runtime.KeepAlive(x)
	return max(best/slices, 1)
})

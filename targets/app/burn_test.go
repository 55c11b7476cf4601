//go:build unix

package app

import (
	"runtime"
	"testing"
	"time"
)

// The clock that burn looks at is the thread's own, so that its use shows there
// whatever else the machine does.
func TestBurnUsesItsTime(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, d := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond} {
		start := threadTime()
		burn(d)
		// More than asked is one slice and two looks at the clock.
		if used := threadTime() - start; used < d || used > d+20*time.Millisecond {
			t.Errorf("burning %v used %v", d, used)
		}
	}
}

func BenchmarkBurn2ms(b *testing.B) {
	for b.Loop() {
		burn(2 * time.Millisecond)
	}
}

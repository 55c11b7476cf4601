//go:build unix

package app

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// burn uses d of processor time, however often it is preempted meanwhile; late
// by at most one slice. It holds on to its thread, because the clock counts what
// this thread used.
func burn(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	x := uint64(1)
	for end := threadTime() + d; threadTime() < end; {
		x = compute(x, slice)
	}
	runtime.KeepAlive(x)
}

func threadTime() time.Duration {
	var ts unix.Timespec
	// It fails only for a clock the kernel does not know.
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

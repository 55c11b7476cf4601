package loadgen

import (
	"golang.org/x/sys/unix"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// sleepUntil sleeps on the caller's thread, exact to what the kernel's
// scheduler makes of it; Go's timers are late by up to a millisecond.
func sleepUntil(t clock.Time) {
	ts := unix.NsecToTimespec(int64(t))
	// A signal ends it early; the caller looks at the clock anyway.
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil)
}

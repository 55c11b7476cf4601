// Package clock is the one clock of a run: nanoseconds of a monotonic clock
// that every process of the machine reads alike, so that the prober, the
// cluster's master and the controller can speak of the same moment.
//
// [time.Now] carries a monotonic reading too, but Go counts it from the start
// of each process, so it means nothing to another one. The clock here is the
// system's own (CLOCK_MONOTONIC on Linux, CLOCK_UPTIME_RAW on macOS, the
// performance counter on Windows), read through Go's cheap reading of it. It
// does not jump when the wall clock is set, and its zero has no meaning.
package clock

import (
	"context"
	"math"
	"time"
)

// Time is a moment in nanoseconds. Moments of different processes of one
// machine compare, to about a microsecond; those of different machines or
// boots do not.
type Time int64

// start is a moment on both clocks, Go's and the system's. Go's monotonic
// reading is the same counter with another zero, so the two never drift apart.
var start, startGo = calibrate()

// Now reads the clock. It costs what time.Now costs, without a system call.
func Now() Time { return start + Time(time.Since(startGo)) }

// Add returns the moment d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns how long after u the moment t is; negative if it is before.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Since returns the time elapsed since t.
func Since(t Time) time.Duration { return Now().Sub(t) }

// SleepUntil waits for the moment t, by Go's timers, which may be late by a
// millisecond. It returns false if ctx ended first.
func SleepUntil(ctx context.Context, t Time) bool {
	timer := time.NewTimer(t.Sub(Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// calibrate reads the system's clock between two readings of Go's and keeps
// the pair that lay closest together: a preemption in between would else
// become an error of every later reading.
func calibrate() (Time, time.Time) {
	var sys Time
	var mid time.Time
	best := time.Duration(math.MaxInt64)
	for range 10 {
		before := time.Now()
		now := system()
		if gap := time.Since(before); gap < best {
			best, sys, mid = gap, now, before.Add(gap/2)
		}
	}
	return sys, mid
}

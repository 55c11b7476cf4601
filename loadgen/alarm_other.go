//go:build !linux

package loadgen

import (
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// alarm wakes one goroutine at a moment that others may move: one of Go's
// timers, which on this system is as exact as a thread that sleeps by itself.
type alarm struct{ timer *time.Timer }

func newAlarm() (*alarm, error) { return &alarm{timer: time.NewTimer(time.Hour)}, nil }

// set moves the alarm. A moment in the past is now.
func (a *alarm) set(t clock.Time) { a.timer.Reset(t.Sub(clock.Now())) }

// wait waits until the alarm goes off.
func (a *alarm) wait() { <-a.timer.C }

func (a *alarm) close() { a.timer.Stop() }

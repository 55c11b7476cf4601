//go:build !linux

package loadgen

import (
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// sleepUntil sleeps with Go's timer, the best there is on this system.
func sleepUntil(t clock.Time) { time.Sleep(t.Sub(clock.Now())) }

package loadgen

import (
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// A thread that uses its one processor up is a limit, however many others idle.
func TestBusiestThreadIsTheShare(t *testing.T) {
	var m monitor
	var used time.Duration
	m.add(func() time.Duration { return used })
	m.add(func() time.Duration { return used / 3 })
	used = time.Second // before t = 0
	m.begin(clock.Time(time.Second), processCPU())
	used += 900 * time.Millisecond
	if got := m.busiest(); got != 1900*time.Millisecond {
		t.Errorf("the busiest used %v", got)
	}
	m.finish(processCPU())
	used += 50 * time.Millisecond
	if _, share := m.used(clock.Time(2 * time.Second)); share != 0.95 {
		t.Errorf("a share of %v", share)
	}
}

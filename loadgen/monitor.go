package loadgen

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

const (
	monitorEvery = 100 * time.Millisecond
	exhaustedAt  = 0.95                  // of the processor time it may use
	starvedAt    = 10 * time.Millisecond // how late a timer may be
)

// monitor watches whether the generator itself keeps up. When its processor
// time is used up, or it does not get the processor, then answers wait to be
// read and requests to be sent, and neither is the target's doing.
type monitor struct {
	exhausted atomic.Bool
	procs     atomic.Int64 // processors that the sending may use

	mu        sync.Mutex
	since     clock.Time // from when processor time counts; 0: not begun
	base, cpu time.Duration
}

// watch measures until done is closed. Processor time counts from epoch on.
func (m *monitor) watch(epoch clock.Time, done <-chan struct{}) {
	now, cpu := clock.Now(), processCPU()
	next := now.Add(monitorEvery)
	timer := time.NewTimer(monitorEvery)
	defer timer.Stop()
	for {
		if now >= epoch {
			m.begin(now, cpu)
		} else {
			next = min(next, epoch)
		}
		timer.Reset(next.Sub(clock.Now()))
		select {
		case <-timer.C:
		case <-done:
			m.finish(processCPU())
			return
		}
		before, used, procs := now, cpu, time.Duration(m.procs.Load())
		now, cpu = clock.Now(), processCPU()
		if wall := now.Sub(before); wall > monitorEvery/2 {
			m.exhausted.Store(float64(cpu-used) > exhaustedAt*float64(wall*procs) || now.Sub(next) > starvedAt)
		}
		next = now.Add(monitorEvery)
	}
}

func (m *monitor) begin(now clock.Time, cpu time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since == 0 {
		m.since, m.base = now, cpu
	}
}

func (m *monitor) finish(cpu time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cpu = cpu
}

// used returns the processor time used up to now, and its share of what the
// processors had that the sending may use.
func (m *monitor) used(now clock.Time) (cpu time.Duration, share float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since == 0 {
		return 0, 0
	}
	end := m.cpu
	if end == 0 {
		end = processCPU()
	}
	cpu = end - m.base
	if wall := now.Sub(m.since); wall > 0 {
		share = min(1, cpu.Seconds()/(wall.Seconds()*float64(m.procs.Load())))
	}
	return cpu, share
}

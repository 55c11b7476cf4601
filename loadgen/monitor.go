package loadgen

import (
	"runtime"
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

	mu        sync.Mutex
	since     clock.Time // from when processor time counts; 0: not begun
	base, cpu time.Duration
	threads   []*thread
}

// thread is one of the process's that can use one processor and no more, however
// many there are.
type thread struct {
	read       func() time.Duration // its processor time so far
	last, base time.Duration
}

// watch measures until done is closed. Processor time counts from epoch on.
func (m *monitor) watch(epoch clock.Time, done <-chan struct{}) {
	procs := runtime.GOMAXPROCS(0)
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
		before, used := now, cpu
		now, cpu = clock.Now(), processCPU()
		busiest := m.busiest()
		if wall := now.Sub(before); wall > monitorEvery/2 {
			share := max(float64(cpu-used)/float64(procs), float64(busiest)) / float64(wall)
			m.exhausted.Store(share > exhaustedAt || now.Sub(next) > starvedAt)
		}
		next = now.Add(monitorEvery)
	}
}

func (m *monitor) begin(now clock.Time, cpu time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since == 0 {
		m.since, m.base = now, cpu
		for _, t := range m.threads {
			t.base = t.read()
		}
	}
}

// add watches a thread, whose processor time read tells at any time.
func (m *monitor) add(read func() time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := read()
	m.threads = append(m.threads, &thread{read: read, last: now, base: now})
}

// busiest returns the most processor time that a thread used since it was last
// asked.
func (m *monitor) busiest() (most time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.threads {
		now := t.read()
		most, t.last = max(most, now-t.last), now
	}
	return most
}

func (m *monitor) finish(cpu time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cpu = cpu
}

// used returns the processor time used up to now, and its share of what there was:
// of the processors, or of the one that the busiest thread has.
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
	wall := now.Sub(m.since)
	if wall <= 0 {
		return cpu, 0
	}
	share = float64(cpu) / float64(runtime.GOMAXPROCS(0))
	for _, t := range m.threads {
		share = max(share, float64(t.read()-t.base))
	}
	return cpu, min(1, share/float64(wall))
}

//go:build unix

package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/shirou/gopsutil/v3/process"
)

// measureEvery is the time between two looks at what the workers use.
const measureEvery = 500 * time.Millisecond

// usage is what a worker was seen to use.
type usage struct {
	at     clock.Time
	cpu    time.Duration // in all
	share  float64       // of one processor, since the look before
	memory int64         // resident, in bytes
}

// measure looks at all workers now and then, until ctx ends.
func (m *master) measure(ctx context.Context) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var workers []*worker
		m.ask(func() {
			for w := range m.living {
				workers = append(workers, w)
			}
		})
		for _, w := range workers {
			if u, ok := usageOf(w.PID()); ok {
				m.post(func() { m.measured(w, u) })
			}
		}
	}
}

func usageOf(pid int) (u usage, ok bool) {
	p := process.Process{Pid: int32(pid)}
	times, err := p.Times()
	if err != nil {
		return u, false // it has just ended
	}
	memory, err := p.MemoryInfo()
	if err != nil {
		return u, false
	}
	return usage{at: clock.Now(), cpu: time.Duration((times.User + times.System) * float64(time.Second)), memory: int64(memory.RSS)}, true
}

// measured notes what a worker uses. One that has too much memory is replaced.
func (m *master) measured(w *worker, u usage) {
	if before := w.usage; before.at != 0 && u.at > before.at {
		u.share = float64(u.cpu-before.cpu) / float64(u.at.Sub(before.at))
	}
	w.usage = u
	most := int64(m.Config.Restart.MaxMemory)
	s := w.slot
	if most == 0 || u.memory <= most || w.state != Serving || s.current != w || s.fat || m.stopping {
		return
	}
	s.fat = true
	m.change(w, "worker %d (pid %d) has %s of memory, more than %s (max_memory): it is replaced", s.number, w.PID(), units.FormatBytes(u.memory), units.FormatBytes(most))
	m.wg.Go(func() {
		_, err := m.renew(s, renewal{after: w.life, order: "start-first"})
		m.post(func() {
			if err == nil {
				s.fat = false
				if next := s.current; next != nil && next.life > w.life && !s.removed {
					s.restarts++
					next.entry.SetRestarts(s.restarts)
				}
				return
			}
			m.tell(Change{Slot: s.number, PID: w.PID(), State: w.state, What: fmt.Sprintf("worker %d keeps its memory: %s", s.number, err)})
			// Not at once again, lest replacements that fail take all there is.
			time.AfterFunc(m.Config.Restart.MaxBackoff.Std(), func() { m.post(func() { s.fat = false }) })
		})
	})
}

package targets

import (
	"slices"
	"sync"
	"time"

	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
	"github.com/shirou/gopsutil/v3/process"
)

// counters reads what the processes of a target count in their page, without
// asking them: it works while they are frozen, and after they ended.
type counters struct {
	mu     sync.Mutex
	page   *page.Page
	final  []page.Process   // once the page is closed
	living map[int]Usage    // what a living process had used when it was last looked at
	names  func(int) string // of a slot's process
}

func newCounters(names func(slot int) string) *counters {
	return &counters{living: map[int]Usage{}, names: names}
}

// open begins to read a page.
func (c *counters) open(p *page.Page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.page = p
}

// close keeps what was counted and lets the page go.
func (c *counters) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.page != nil {
		c.final = c.page.Processes()
		c.page.Close()
		c.page = nil
	}
}

// processes are all that ever ran, the master included; those living first
// looked up, since a master that is dead or frozen notes no end.
func (c *counters) processes() (all []page.Process, alive func(page.Process) bool) {
	if c.page == nil {
		return c.final, func(page.Process) bool { return false }
	}
	return c.page.Processes(), func(p page.Process) bool {
		return p.Ended == 0 && proc.Alive(p.ID)
	}
}

// workers lists the living workers by slot.
func (c *counters) workers() []Worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	var workers []Worker
	all, alive := c.processes()
	for _, p := range all {
		if p.Slot > 0 && alive(p) {
			workers = append(workers, Worker{Slot: p.Slot, PID: p.ID.PID, ID: p.ID, Started: p.Started, Ready: p.Ready})
		}
	}
	slices.SortStableFunc(workers, func(a, b Worker) int { return a.Slot - b.Slot })
	return workers
}

// served is what each worker that ever ran has served.
func (c *counters) served() map[int]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	served := map[int]int64{}
	all, _ := c.processes()
	for _, p := range all {
		if p.Slot > 0 {
			served[p.ID.PID] += p.Served
		}
	}
	return served
}

// usages is what each process that ever ran has used.
func (c *counters) usages() []Usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	var usages []Usage
	all, alive := c.processes()
	for _, p := range all {
		if alive(p) {
			c.measure(p.ID.PID)
		}
		u := Usage{Process: c.names(p.Slot), PID: p.ID.PID, CPU: p.CPU, RSSMax: p.RSSMax, Restarts: p.Restarts}
		u.Unfinished, u.Resent, u.Failed, u.Succeeded, u.Pauses = p.Unfinished, p.Resent, p.Failed, p.Succeeded, p.Pauses[:]
		if u.Served = p.Served; p.Slot == 0 {
			u.Served = -1 // the master
		}
		if last, ok := c.living[u.PID]; ok {
			u.CPU, u.RSSMax = max(u.CPU, last.CPU), max(u.RSSMax, last.RSSMax)
		}
		usages = append(usages, u)
	}
	return usages
}

func (c *counters) measure(pid int) {
	p := process.Process{Pid: int32(pid)}
	times, err := p.Times()
	if err != nil {
		return // it has just ended
	}
	u := Usage{CPU: time.Duration((times.User + times.System) * float64(time.Second))}
	if mem, err := p.MemoryInfo(); err == nil {
		u.RSSMax = int64(mem.RSS)
	}
	c.living[pid] = u
}

package app

import (
	"context"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v3/load"
)

// Detail is what /health/detailed answers: how this process and its dependencies
// are.
type Detail struct {
	Status     string      `json:"status"` // ok, degraded (a dependency is down) or draining
	PID        int         `json:"pid"`
	Worker     int         `json:"worker"` // its slot
	UptimeS    float64     `json:"uptime_s"`
	Version    string      `json:"version"`
	Go         string      `json:"go"`
	Memory     Memory      `json:"memory"`
	Load       *[3]float64 `json:"load"` // of the machine, over 1, 5 and 15 minutes; null where it has none
	InFlight   int64       `json:"in_flight"`
	Served     int64       `json:"served"`
	Components []Component `json:"components"`
}

// Memory is in bytes.
type Memory struct {
	RSSMax int64  `json:"rss_max_bytes"`
	Heap   uint64 `json:"heap_bytes"`
}

// Component is a dependency.
type Component struct {
	Name      string  `json:"name"`
	State     string  `json:"state"` // up or down, as a look past the breaker finds it
	LatencyMS float64 `json:"latency_ms"`
	Error     string  `json:"error,omitempty"`
	Breaker   string  `json:"breaker,omitempty"` // closed, open, half-open
	Calls     int64   `json:"calls"`
	Failures  int64   `json:"failures"`
	Retries   int64   `json:"retries"`
}

func (a *App) detail(ctx context.Context) Detail {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	d := Detail{
		Status: "ok", PID: a.number, Worker: a.slot, UptimeS: time.Since(a.began).Seconds(),
		Version: version(), Go: runtime.Version(),
		Memory:   Memory{RSSMax: rssMax(), Heap: memory.HeapAlloc},
		InFlight: a.entry.InFlight.Load(), Served: a.entry.Served.Load(),
		Components: a.components(ctx),
	}
	if l, err := load.Avg(); err == nil {
		d.Load = &[3]float64{l.Load1, l.Load5, l.Load15}
	}
	for _, c := range d.Components {
		if c.State != "up" {
			d.Status = "degraded"
		}
	}
	if a.draining.Load() {
		d.Status = "draining"
	}
	return d
}

// components looks at each dependency.
func (a *App) components(ctx context.Context) []Component {
	all := make([]Component, len(a.remotes.present))
	var mu sync.Mutex
	a.remotes.ping(ctx, func(i int, took time.Duration, err error) {
		dependency := a.remotes.present[i]
		s := dependency.Stats()
		c := Component{
			Name: dependency.Name(), State: "up", LatencyMS: float64(took.Microseconds()) / 1e3,
			Breaker: s.Breaker, Calls: s.Calls, Failures: s.Failures, Retries: s.Retries,
		}
		if err != nil {
			c.State, c.Error = "down", err.Error()
		}
		mu.Lock()
		defer mu.Unlock()
		all[i] = c
	})
	return all
}

// ready answers /ready. A deep one fails with any dependency, so that nobody
// sends requests here that need it, nor those that do not.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	if a.config.Ready == "deep" {
		var down []string
		for _, c := range a.components(r.Context()) {
			if c.State != "up" {
				down = append(down, c.Name+": "+c.Error)
			}
		}
		if down != nil {
			a.answer(w, http.StatusServiceUnavailable, strings.Join(down, "\n")+"\n")
			return
		}
	}
	a.answer(w, http.StatusOK, "ok\n")
}

// version is that of the module this program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

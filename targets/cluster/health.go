//go:build unix

package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	sysload "github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/process"
)

// The health of a cluster, or of a part of it.
const (
	healthy   = "healthy"
	degraded  = "degraded"  // it serves, but not with all that it should have
	unhealthy = "unhealthy" // nobody should be sent here
)

// HealthReport is what /health/detailed answers.
type HealthReport struct {
	Status     string               `json:"status"` // healthy, degraded or unhealthy
	Version    string               `json:"version"`
	UptimeS    float64              `json:"uptime_s"`
	Components map[string]Component `json:"components"` // "master", "worker 1", …
	Memory     Memory               `json:"memory"`
	Load       *Load                `json:"load"` // null where the system does not tell
}

// Component is a part of the cluster.
type Component struct {
	Status   string  `json:"status"`
	State    State   `json:"state"`
	PID      int     `json:"pid"` // 0: there is no process
	UptimeS  float64 `json:"uptime_s"`
	Restarts int     `json:"restarts"`
	InFlight int64   `json:"in_flight"`
}

// Memory is that of the master and of the machine, in bytes.
type Memory struct {
	MasterRSS int64 `json:"master_rss_bytes"`
	Total     int64 `json:"total_bytes"`
	Available int64 `json:"available_bytes"`
}

// Load is the machine's: how many processes wanted to run, on average over so
// many minutes.
type Load struct {
	One       float64 `json:"1m"`
	Five      float64 `json:"5m"`
	Fifteen   float64 `json:"15m"`
	Processes int     `json:"cpus"`
}

// judge tells how well a cluster is.
func judge(s Status, failing int) string {
	switch {
	case s.Stopping || s.Ready == 0:
		return unhealthy
	case s.Ready < len(s.Workers) || failing > 0:
		return degraded
	}
	return healthy
}

// look is the cluster's status and health.
func (m *master) look() (Status, string) {
	var s Status
	if !m.ask(func() { s = m.status() }) {
		return Status{Stopping: true}, unhealthy
	}
	failing := 0
	if d, ok := m.dispatch.(counting); ok {
		for _, w := range d.figures().workers {
			if !w.healthy && w.slot <= len(s.Workers) {
				failing++
			}
		}
	}
	return s, judge(s, failing)
}

// serveHealth answers 200 to a cluster that serves, 503 to one that does not.
func (m *master) serveHealth(w http.ResponseWriter, _ *http.Request) {
	s, health := m.look()
	answerHealth(w, health, map[string]any{"status": health, "ready": s.Ready, "workers": len(s.Workers)})
}

func (m *master) serveDetails(w http.ResponseWriter, _ *http.Request) {
	s, health := m.look()
	h := HealthReport{
		Status: health, Version: version(), UptimeS: clock.Since(m.began).Seconds(), Memory: memory(), Load: loads(),
		Components: map[string]Component{"master": {Status: healthy, State: Serving, PID: os.Getpid(), UptimeS: clock.Since(m.began).Seconds()}},
	}
	if s.Stopping {
		h.Components["master"] = Component{Status: unhealthy, State: Leaving, PID: os.Getpid(), UptimeS: clock.Since(m.began).Seconds()}
	}
	for _, worker := range s.Workers {
		c := Component{Status: healthy, State: worker.State, PID: worker.PID, UptimeS: worker.UptimeS, Restarts: worker.Restarts, InFlight: worker.InFlight}
		if !worker.Ready {
			c.Status = unhealthy
		}
		h.Components[fmt.Sprint("worker ", worker.Slot)] = c
	}
	answerHealth(w, health, h)
}

func answerHealth(w http.ResponseWriter, health string, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	status := http.StatusOK
	switch health {
	case degraded:
		w.Header().Set("X-Degraded", "workers")
	case unhealthy:
		w.Header().Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone is no concern of ours
}

// serveReady answers 200 while at least one worker takes requests.
func (m *master) serveReady(w http.ResponseWriter, _ *http.Request) {
	if _, health := m.look(); health == unhealthy {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// serveLive answers as long as this process does anything at all.
func (m *master) serveLive(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "live") }

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func memory() (m Memory) {
	if p, err := process.NewProcess(int32(os.Getpid())); err == nil {
		if info, err := p.MemoryInfo(); err == nil {
			m.MasterRSS = int64(info.RSS)
		}
	}
	if v, err := mem.VirtualMemory(); err == nil {
		m.Total, m.Available = int64(v.Total), int64(v.Available)
	}
	return m
}

func loads() *Load {
	avg, err := sysload.Avg()
	if err != nil {
		return nil
	}
	return &Load{avg.Load1, avg.Load5, avg.Load15, runtime.NumCPU()}
}

// adminTimeout bounds how long a client of the admin address may take.
const adminTimeout = 10 * time.Second

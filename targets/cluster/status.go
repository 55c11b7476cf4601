package cluster

import "github.com/hachaos/hachaos/loadgen/clock"

// Status is what a master says of itself.
type Status struct {
	PID      int    `json:"pid"`
	Address  string `json:"address"`
	TLS      bool   `json:"tls"`   // clients speak TLS
	Admin    string `json:"admin"` // for monitors; empty: there is none
	Dispatch string `json:"dispatch"`
	// Generation is 1, and one more with each reload that was begun.
	Generation int   `json:"generation"`
	Reloading  bool  `json:"reloading"`
	Stopping   bool  `json:"stopping"`
	Ready      int   `json:"ready"`   // workers that take requests
	Queued     int   `json:"queued"`  // connections that wait for a worker
	Queries    int64 `json:"queries"` // of the value that is broadcast
	// Workers has one element for each slot, in order.
	Workers []WorkerStatus `json:"workers"`
	// Processes are all workers that ever ran, in the order in which they started.
	Processes []ProcessStatus `json:"processes"`
}

// URL is where clients find the service.
func (s Status) URL() string { return serviceURL(s.TLS, s.Address) }

// State is what a worker does.
type State string

// A slot without a process is waiting for its replacement, or ended for good.
const (
	Starting State = "starting"
	Serving  State = "serving"
	Leaving  State = "leaving"
	Waiting  State = "waiting"
	Ended    State = "ended"
	// Resting: a reload that can be taken back keeps it, without new connections.
	Resting State = "resting"
	// Errored: its workers lived too shortly too often, and none is started.
	Errored State = "errored"
)

// WorkerStatus is the state of one slot. What is said of a process is 0 when
// the slot has none.
type WorkerStatus struct {
	Slot       int        `json:"slot"` // from 1
	PID        int        `json:"pid"`
	State      State      `json:"state"`
	Started    clock.Time `json:"started"`
	UptimeS    float64    `json:"uptime_s"`
	Restarts   int        `json:"restarts"` // how often it was replaced, but for reloads
	Generation int        `json:"generation"`
	Ready      bool       `json:"ready"`
	InFlight   int64      `json:"in_flight"`
	Requests   int64      `json:"requests"` // served by the process
	Errors     int64      `json:"errors"`   // answers of the process with a status of 500 or more
	CPU        float64    `json:"cpu"`      // share of one processor, lately
	Memory     int64      `json:"memory"`   // resident, in bytes
}

// ProcessStatus is what one worker process did.
type ProcessStatus struct {
	PID      int        `json:"pid"`
	Slot     int        `json:"slot"`
	Started  clock.Time `json:"started"`
	Ended    clock.Time `json:"ended"` // 0 while it lives
	Requests int64      `json:"requests"`
}

// Change is something that happened to a worker.
type Change struct {
	At    clock.Time `json:"at"`
	Slot  int        `json:"slot"` // 0: it concerns the whole cluster
	PID   int        `json:"pid"`
	State State      `json:"state"` // of the worker from then on
	Ready int        `json:"ready"` // workers that take requests from then on
	What  string     `json:"what"`  // in words: "worker 2 (pid 4711) was killed by SIGKILL"
}

// request is a line that a client sends, reply one that it gets.
type request struct {
	Do      string `json:"do"` // status, reload, scale, upgrade, stop, exit or watch
	Slot    int    `json:"slot,omitempty"`
	Code    int    `json:"code,omitempty"`
	Workers int    `json:"workers,omitempty"`
	Binary  string `json:"binary,omitempty"`
}

type reply struct {
	Error  string  `json:"error,omitempty"`
	Status *Status `json:"status,omitempty"`
	Change *Change `json:"change,omitempty"`
}

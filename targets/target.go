package targets

import (
	"context"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// Target is a service under test: it can be started, addressed and stopped.
// Kinds that have processes implement the small interfaces of package chaos as
// well.
type Target interface {
	// Start starts the target and returns once it exists; whether it answers
	// is asked over its URL. An error says why, with the last lines of its log.
	Start(ctx context.Context) error
	// URL is the base URL of its service, known once Start returned.
	URL() string
	// Done is closed when the target has ended although nobody stopped it, and
	// Err then says how: "exit status 1", with the last lines of its log.
	Done() <-chan struct{}
	Err() error
	// Stop asks it to end, waits, and ends it by force when ctx does.
	Stop(ctx context.Context) error
}

// Worker is a process of a target that serves requests.
type Worker struct {
	Slot    int // from 1; a replacement takes over its predecessor's slot
	PID     int
	ID      proc.ID
	Started clock.Time
	Ready   bool
}

// Change is something that happened to a target's workers, with how many were
// ready from then on.
type Change struct {
	At     clock.Time
	Ready  int
	Source string // "cluster", "single", "command"
	What   string // in words: "worker 2 (pid 4711) was killed by SIGKILL"
}

// Usage is what one process of a target used.
type Usage struct {
	Process string // "master", "worker 2"
	PID     int
	CPU     time.Duration
	RSSMax  int64 // bytes
	Served  int64 // requests, by the process's own count; -1 if it does not count

	Restarts   int   // how often a worker in its place had been replaced before, but for reloads
	Unfinished int64 // requests that it was working on when it ended
	Resent     int64 // requests that a proxy sent to another worker, because this one failed

	// What it depends on: calls whose first try failed, those of them that
	// succeeded when they were tried again, and the pauses before first, second and
	// later tries again.
	Failed, Succeeded int64
	Pauses            []page.Pause
}

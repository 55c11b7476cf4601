package backend

import (
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// Event is what kind of [Change] something is.
type Event string

// The events that a backend tells of.
const (
	Started   Event = "started"   // the dependency, or a node that was stopped, takes connections
	Ended     Event = "ended"     // a node's process ended although nobody asked it to
	Stopped   Event = "stopped"   // a node was stopped by [Backend.StopNode]
	Promoted  Event = "promoted"  // a replica became primary because [Backend.Promote] said so
	FailedOn  Event = "failover"  // a replica became primary because the primary was gone
	NoReplica Event = "unguarded" // sync replication goes on without a replica to wait for
	Failed    Event = "failed"    // something that the backend had to do did not work
)

// Change is something that happened to a dependency.
type Change struct {
	At         clock.Time
	Dependency string
	Node       string // "" if it is about the whole
	Event      Event
	// Took is how long it took: from a start to the first answer, or for a
	// failover from the moment the old primary was first seen gone until the new
	// one can be reached; else 0.
	Took time.Duration
	What string // in words: "node-2 is the primary, 1.2 s after node-1 was gone"
}

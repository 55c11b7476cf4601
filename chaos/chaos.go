// Package chaos breaks things on a schedule and puts them back.
//
// A [Fault] is what a scenario asks for. [Plan] turns faults into [Shot]s, the
// single repetitions with their times and draws, from a seed alone. [Conduct]
// plays the shots against a [Target] and returns one [Event] for each. What
// lasts is undone by a [Revert], which is plain data and stands in the
// [Journal] before the fault is injected, so that another process can undo it
// when this one is killed.
//
// The package never chooses a process by itself: it hits what the target lists,
// by pid and start time, and nothing else. Each kind of fault is one file and
// one line in the table of kinds in kind.go, where to start reading.
package chaos

import (
	"context"

	"github.com/hachaos/hachaos/targets/proc"
)

// Target is what faults may hit. A nil field means that the target has no such
// thing, and a fault that needs it fails.
type Target struct {
	Processes Processes
	Exiter    Exiter
	Reloader  Reloader

	Network      Network
	Dependencies map[string]Dependency

	journal Journal // for commands; set by Conduct
}

// Processes is what process faults need of a target.
type Processes interface {
	// Main is the cluster's master, a command's first process, or the single
	// process; false if it has ended.
	Main() (proc.ID, bool)
	// Slots is how many workers there are, or were at most: slots count from 1.
	Slots() int
	// Workers lists the living workers.
	Workers() ([]Worker, error)
	// All lists every living process of the target, oldest first.
	All() ([]proc.Info, error)
}

// Worker is a living worker in its slot.
type Worker struct {
	Slot int
	ID   proc.ID
}

// Exiter lets a worker of the reference application end itself.
type Exiter interface {
	Exit(ctx context.Context, slot, code int) error
}

// Reloader replaces every worker, and returns once that is done.
type Reloader interface {
	Reload(ctx context.Context) error
}

// Network is what network faults need: the chaos proxies of the run.
type Network interface {
	// API is the URL of the proxies' HTTP API.
	API() string
	// Proxies names the proxies that a spot means at this moment, at least one.
	// note is what a reader of the fault should know, or "".
	Proxies(s Spot) (names []string, note string, err error)
}

// Dependency is what faults on servers need of a dependency.
type Dependency interface {
	// Servers lists the living servers of a role, by name; at least one.
	Servers(role string) ([]Server, error)
	Promote(ctx context.Context) error
	// Lag and Fill return how to undo them.
	Lag(ctx context.Context) (undo func(context.Context) error, err error)
	Fill(ctx context.Context) (undo func(context.Context) error, err error)
	// Stop ends a server, Start starts one again that was stopped or killed.
	Stop(ctx context.Context, server string) error
	Start(ctx context.Context, server string) error
}

// Server is a living server of a dependency.
type Server struct {
	Name string // "node-2"
	Role string
	ID   proc.ID
	All  []proc.ID // its processes, the main one first
}

// Journal keeps the reverts of faults that are in force, outside this process.
type Journal interface {
	// Open notes how to undo a fault. It returns once the note is safe.
	Open(id string, r Revert) error
	// Close strikes out a fault that has been undone.
	Close(id string) error
	// Command notes a command that a fault or its revert has started, CommandEnded
	// that it has ended: in between it must not outlive the run.
	Command(id proc.ID) error
	CommandEnded(id proc.ID) error
}

//go:build unix

package cluster

import (
	"os"

	"github.com/hachaos/hachaos/targets/proc"
)

// osProcess is a worker's process: a child of this master, or one that it took
// over from a master that died.
type osProcess interface {
	ID() proc.ID
	PID() int
	// Done is closed once it has ended, and Exit, which waits for that, says how.
	Done() <-chan struct{}
	Exit() proc.Exit
	Signal(os.Signal) error
}

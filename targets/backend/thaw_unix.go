//go:build unix

package backend

import (
	"syscall"

	"github.com/hachaos/hachaos/targets/proc"
)

// thaw lets a frozen process go on, which does nothing to one that is not.
func thaw(p *proc.Process) { _ = p.Signal(syscall.SIGCONT) }

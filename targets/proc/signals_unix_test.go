//go:build unix

package proc_test

import (
	"os/signal"
	"syscall"
)

var sigStop = syscall.SIGSTOP

func ignoreTerm() { signal.Ignore(syscall.SIGTERM) }

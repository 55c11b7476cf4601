//go:build unix && !linux

package cluster

import (
	"errors"
	"syscall"
)

// pidfd is there on Linux only.
type pidfd struct{}

func openPidfd(int) (*pidfd, error) { return nil, standbySupported() }

func (*pidfd) signal(syscall.Signal) error { return standbySupported() }
func (*pidfd) wait() error                 { return standbySupported() }
func (*pidfd) close()                      {}

// standbySupported says that a standby would not be safe here.
func standbySupported() error {
	return errors.New("standby and upgrade need Linux, where a process can be held by a descriptor (pidfd) and so be ended for certain")
}

func starved(int) bool { return false }

//go:build unix && !linux

package cluster

import "golang.org/x/sys/unix"

// wireNetwork is a stream: macOS has no SOCK_SEQPACKET for local sockets.
const wireNetwork = "unix"

// wireSocket is the same as a type of sockets.
const wireSocket = unix.SOCK_STREAM

// closeOnExec is a flag that only Linux has; a worker starts no children.
const closeOnExec = 0

// peer cannot tell: who may connect is decided by the directory's mode alone.
func (w *wire) peer() (pid int, err error) { return 0, nil }

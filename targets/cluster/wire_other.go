//go:build unix && !linux

package cluster

// wireNetwork is a stream: macOS has no SOCK_SEQPACKET for local sockets.
const wireNetwork = "unix"

// closeOnExec is a flag that only Linux has; a worker starts no children.
const closeOnExec = 0

// peer cannot tell: who may connect is decided by the directory's mode alone.
func (w *wire) peer() (pid int, err error) { return 0, nil }

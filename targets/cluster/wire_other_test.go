//go:build unix && !linux

package cluster

import "golang.org/x/sys/unix"

const socketType = unix.SOCK_STREAM

package cluster

import "golang.org/x/sys/unix"

const socketType = unix.SOCK_SEQPACKET | unix.SOCK_CLOEXEC

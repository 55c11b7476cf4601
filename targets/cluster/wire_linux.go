package cluster

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// wireNetwork keeps message boundaries (SOCK_SEQPACKET).
const wireNetwork = "unixpacket"

// wireSocket is the same as a type of sockets.
const wireSocket = unix.SOCK_SEQPACKET

// closeOnExec keeps received descriptors from children.
const closeOnExec = unix.MSG_CMSG_CLOEXEC

// peer returns the pid of the process at the other end, as the kernel knows it,
// and an error if it belongs to another user.
func (w *wire) peer() (pid int, err error) {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var cerr error
	if err := raw.Control(func(fd uintptr) {
		cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if cerr != nil {
		return 0, cerr
	}
	if int(cred.Uid) != os.Geteuid() {
		return 0, fmt.Errorf("process %d belongs to user %d", cred.Pid, cred.Uid)
	}
	return int(cred.Pid), nil
}

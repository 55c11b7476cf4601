//go:build unix

package loadgen

import (
	"syscall"

	"golang.org/x/sys/unix"
)

var errnoCauses = map[syscall.Errno]Cause{
	unix.ECONNREFUSED: CauseRefused,
	unix.EHOSTUNREACH: CauseRefused,
	unix.ENETUNREACH:  CauseRefused,
	unix.EHOSTDOWN:    CauseRefused,
	unix.ENETDOWN:     CauseRefused,

	unix.ECONNRESET:   CauseReset,
	unix.ECONNABORTED: CauseReset,
	unix.EPIPE:        CauseReset,

	unix.ETIMEDOUT: CauseTimeout,

	// Descriptors, ports, buffers, watches: limits of this side.
	unix.EMFILE:        CauseGenerator,
	unix.ENFILE:        CauseGenerator,
	unix.EADDRNOTAVAIL: CauseGenerator,
	unix.EADDRINUSE:    CauseGenerator,
	unix.ENOBUFS:       CauseGenerator,
	unix.ENOMEM:        CauseGenerator,
	unix.EAGAIN:        CauseGenerator,
	unix.ENOSPC:        CauseGenerator,
}

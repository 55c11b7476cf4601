package loadgen

import (
	"syscall"

	"golang.org/x/sys/windows"
)

var errnoCauses = map[syscall.Errno]Cause{
	windows.WSAECONNREFUSED: CauseRefused,
	windows.WSAEHOSTUNREACH: CauseRefused,
	windows.WSAENETUNREACH:  CauseRefused,
	windows.WSAEHOSTDOWN:    CauseRefused,
	windows.WSAENETDOWN:     CauseRefused,

	windows.WSAECONNRESET:   CauseReset,
	windows.WSAECONNABORTED: CauseReset,
	windows.WSAESHUTDOWN:    CauseReset,

	windows.WSAETIMEDOUT: CauseTimeout,

	// Descriptors, ports, buffers: limits of this side.
	windows.WSAEMFILE:        CauseGenerator,
	windows.WSAEADDRNOTAVAIL: CauseGenerator,
	windows.WSAEADDRINUSE:    CauseGenerator,
	windows.WSAENOBUFS:       CauseGenerator,
}

package netproxy

import "syscall"

// waitReadable waits until the connection has something to read, its end or an
// error included: between two calls of the function, a read of no bytes waits.
func waitReadable(raw syscall.RawConn) error {
	asked := false
	return raw.Read(func(uintptr) bool {
		defer func() { asked = true }()
		return asked
	})
}

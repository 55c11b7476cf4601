package chaos

import (
	"os"

	"golang.org/x/sys/unix"
)

// newOutput makes a file in memory: where a fault has filled the disk, or nothing
// can be written to it, a command that prints a word must not fail for that.
func newOutput() (out *os.File, discard func(), err error) {
	fd, err := unix.MemfdCreate("hachaos-exec", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("memfd_create", err)
	}
	out = os.NewFile(uintptr(fd), "hachaos-exec")
	return out, func() { out.Close() }, nil
}

package page

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// inMemory makes a file that has no place on a disk; nil where that cannot be.
func inMemory() (*os.File, error) {
	fd, err := unix.MemfdCreate("hachaos-page", unix.MFD_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // a sandbox may not know it
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "page"), nil
}

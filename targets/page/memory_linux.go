package page

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// inMemory makes a file that has no place on a disk; nil where that cannot be.
func inMemory() (*os.File, error) {
	fd, err := unix.MemfdCreate("hachaos-page", unix.MFD_CLOEXEC)
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return nil, os.NewSyscallError("memfd_create", err)
	case err != nil: // a sandbox may not know it, or forbid it
		return nil, nil
	}
	return os.NewFile(uintptr(fd), "page"), nil
}

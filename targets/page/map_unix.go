//go:build unix

package page

import (
	"os"

	"golang.org/x/sys/unix"
)

func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func closeOnExec(fd int) { unix.CloseOnExec(fd) }

func unmap(memory []byte) error { return unix.Munmap(memory) }

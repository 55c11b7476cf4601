//go:build unix && !linux

package proc

import "syscall"

func group(pid int) int {
	pgid, err := syscall.Getpgid(pid)
	if err != nil {
		return 0
	}
	return pgid
}

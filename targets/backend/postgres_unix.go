//go:build linux || darwin

package backend

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// idsOf returns a user's numbers.
func idsOf(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}

// sweep ends what is left of a server whose first process has ended, and
// removes the shared memory that a killed one leaves behind, which outlives
// every process.
func sweep(dir string) {
	endWithin(dir)
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return // it took it away itself, and the memory too
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 7 {
		return
	}
	// "key id"
	if fields := strings.Fields(lines[6]); len(fields) == 2 {
		if id, err := strconv.Atoi(fields[1]); err == nil {
			_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) // it may be gone
		}
	}
}

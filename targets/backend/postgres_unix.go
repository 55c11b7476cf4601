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

// closedTo returns the first of the folders above a path that a user may not
// pass through, by its permissions; "" if there is none.
func closedTo(uid, gid int, path string) string {
	above := filepath.Dir(path)
	if above == path {
		return ""
	}
	if closed := closedTo(uid, gid, above); closed != "" {
		return closed
	}
	var s unix.Stat_t
	if unix.Stat(above, &s) != nil {
		return "" // whatever is wrong with it will be said by who needs it
	}
	pass := s.Mode & 0o001
	switch {
	case int(s.Uid) == uid:
		pass = s.Mode & 0o100
	case int(s.Gid) == gid:
		pass = s.Mode & 0o010
	}
	if pass == 0 {
		return above
	}
	return ""
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

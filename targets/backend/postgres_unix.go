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
// removes the shared memory that a killed one leaves behind.
func sweep(dir string) {
	endWithin(dir)
	freeMemory(filepath.Join(dir, "postmaster.pid"))
}

// Release frees what servers that were killed have left outside of a run's
// folder, where no process's end frees it: PostgreSQL's shared memory. It is for
// who ended them in place of [Backend.Stop], before the folder is removed.
func Release(folder string) {
	files, _ := filepath.Glob(filepath.Join(escape(folder), "*", "*", "postmaster.pid")) // of the folders of each dependency's servers
	for _, file := range files {
		freeMemory(file)
	}
}

// escape lets a path stand for itself in a pattern.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// freeMemory removes the shared memory that a server's lock file tells of. A
// server that ended by itself has taken both away.
func freeMemory(lockFile string) {
	text, err := os.ReadFile(lockFile)
	if err != nil {
		return
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 7 {
		return
	}
	// "key id"
	fields := strings.Fields(lines[6])
	if len(fields) != 2 {
		return
	}
	id, err := strconv.Atoi(fields[1])
	if err != nil {
		return
	}
	// What is in use is a stranger's, who was given the number since.
	var s unix.SysvShmDesc
	if _, err := unix.SysvShmCtl(id, unix.IPC_STAT, &s); err == nil && s.Nattch == 0 {
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) // somebody else may have
	}
}

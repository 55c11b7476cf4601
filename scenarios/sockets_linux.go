package scenarios

import (
	"os"

	"golang.org/x/sys/unix"
)

// firstUser is the lowest id of a user that is a person, not the system's.
const firstUser = 1000

// memoryFolder is where this user may make files that are in memory alone, and stay;
// "" if there is no such folder: systemd empties it of a person's files when the
// last session of theirs ends (RemoveIPC), also under what goes on.
func memoryFolder() string {
	const folder = "/dev/shm"
	var fs unix.Statfs_t
	if unix.Statfs(folder, &fs) != nil || fs.Type != unix.TMPFS_MAGIC || unix.Access(folder, unix.W_OK|unix.X_OK) != nil {
		return ""
	}
	if os.Geteuid() >= firstUser && unix.Access("/run/systemd/system", unix.F_OK) == nil {
		return ""
	}
	return folder
}

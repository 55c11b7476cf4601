//go:build linux || darwin

package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// PostgreSQL's shared memory outlives processes that the guard kills; it is of no use
// in a folder that is kept either.
func TestGuardFreesSharedMemory(t *testing.T) {
	t.Run("removed", func(t *testing.T) { freesSharedMemory(t, (*Guard).Folder, false) })
	t.Run("kept", func(t *testing.T) { freesSharedMemory(t, (*Guard).Kept, true) })
}

func freesSharedMemory(t *testing.T, note func(*Guard, string) error, stays bool) {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 56, unix.IPC_CREAT|0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
	folder := t.TempDir()
	dir := filepath.Join(folder, "dependency-db", "node-1")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock := strings.Repeat("line\n", 6) + fmt.Sprintf("  851968 %9d\n", id)
	if err := os.WriteFile(filepath.Join(dir, "postmaster.pid"), []byte(lock), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := StartGuard(guardCommand(t), "shared-memory")
	if err != nil {
		t.Fatal(err)
	}
	if err := note(g, folder); err != nil {
		t.Fatal(err)
	}
	if report, err := g.Dismiss(); err != nil || len(report.Errors) > 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
	if _, err := unix.SysvShmCtl(id, unix.IPC_STAT, new(unix.SysvShmDesc)); err == nil {
		t.Error("the shared memory is still there")
	}
	if _, err := os.Stat(folder); (err == nil) != stays {
		t.Errorf("the folder: %v", err)
	}
}

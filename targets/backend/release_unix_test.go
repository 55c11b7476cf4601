//go:build linux || darwin

package backend_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/targets/backend"
	"golang.org/x/sys/unix"
)

// A server that was killed has no chance to remove its shared memory, which
// outlives every process.
func TestReleaseFreesSharedMemory(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run [1]*")
	memory := func(server string) int {
		t.Helper()
		id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 56, unix.IPC_CREAT|0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
		dir := filepath.Join(folder, "dependency-db", server)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		lock := strings.Repeat("line\n", 6) + fmt.Sprintf("  851968 %9d\nready   \n", id)
		if err := os.WriteFile(filepath.Join(dir, "postmaster.pid"), []byte(lock), 0o600); err != nil {
			t.Fatal(err)
		}
		return id
	}
	there := func(id int) bool {
		_, err := unix.SysvShmCtl(id, unix.IPC_STAT, new(unix.SysvShmDesc))
		return err == nil
	}
	left, used := memory("node-1"), memory("node-2")
	attached, err := unix.SysvShmAttach(used, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.SysvShmDetach(attached)
	backend.Release(folder)
	if there(left) {
		t.Error("what a killed server left is still there")
	}
	if !there(used) {
		t.Error("what is in use was removed")
	}
}

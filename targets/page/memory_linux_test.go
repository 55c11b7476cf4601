package page

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk that stalls, or is full, must not meet who counts.
func TestNewPageIsOnNoDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page")
	p, err := New(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(p.File().Fd()), &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type != unix.TMPFS_MAGIC || p.Path() != "" {
		t.Errorf("the page is at %q on a file system of type %#x, want one in memory alone", p.Path(), fs.Type)
	}
	copied, err := unix.FcntlInt(p.File().Fd(), unix.F_DUPFD, 0) // as it comes to a child
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := Inherited(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if flags, err := unix.FcntlInt(theirs.File().Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("what the child starts gets the page too (flags %#x, %v)", flags, err)
	}
	_, e := p.Add(1, 1, 1, 0)
	e.Served.Add(3)
	if same, err := theirs.Entry(0); err != nil || same.Served.Load() != 3 {
		t.Errorf("the child sees %+v (%v)", same, err)
	}
}

package reports

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A link to a pipe is one, whatever path it seems to lead to.
func TestWriteFileToALinkedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	link := filepath.Join(t.TempDir(), "report.json")
	if err := os.Symlink(fmt.Sprintf("/proc/self/fd/%d", w.Fd()), link); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(link); err != nil {
		t.Error(err)
	}
	if err := WriteFile(link, say("x")); err != nil {
		t.Error(err)
	}
	w.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

// A device is written to directly: /dev/full is a disk without room.
func TestWriteFileToDevices(t *testing.T) {
	if err := WriteFile("/dev/null", say("x")); err != nil {
		t.Error(err)
	}
	if err := WriteFile("/dev/full", say("x")); err == nil || err.Error() != "write /dev/full: no space left on device (free some space, or write elsewhere)" {
		t.Error(err)
	}
	if err := WriteFile("/dev/full", say(strings.Repeat("x", 1<<20))); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Error(err)
	}
}

package reports

import (
	"strings"
	"testing"
)

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

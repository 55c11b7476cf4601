package proc

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Who has no descriptor left to look at a process must not take it for dead: what
// hachaos has frozen would never be thawed.
func TestNoDescriptorIsNoDeath(t *testing.T) {
	self, err := Lookup(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}, nil); err != nil {
		t.Fatal(err)
	}
	_, looked := Lookup(self.PID)
	_, held := Hold(self.ID)
	alive := Alive(self.ID)
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{looked, held} {
		if !errors.Is(err, unix.EMFILE) {
			t.Errorf("%v, want that there are too many files open", err)
		}
	}
	if !alive {
		t.Error("it counts as dead")
	}
	if other := (ID{PID: self.PID, Started: self.Started - 1}); Alive(other) || Alive(ID{}) {
		t.Error("another process's pid counts as it")
	}
}

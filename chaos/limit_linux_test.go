package chaos

import (
	"errors"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Who has no descriptor left to look at a victim must not report that it had ended.
func TestAVictimThatCannotBeLookedAtIsNotSkipped(t *testing.T) {
	h := newHerd(t, 1)
	marks := []mark{{slot: 1, id: h.procs[0].ID()}}
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := signalAll(marks, syscall.SIGKILL)
	if restored := unix.Prlimit(0, unix.RLIMIT_NOFILE, &limit, nil); restored != nil {
		t.Fatal(restored)
	}
	if !errors.Is(err, unix.EMFILE) || errors.Is(err, errSkipped) {
		t.Errorf("%v, want that there are too many files open", err)
	}
	if !h.alive(h.procs[0]) {
		t.Error("the victim was killed all the same")
	}
}

//go:build unix

package targets

import (
	"os"
	"testing"

	"github.com/hachaos/hachaos/targets/proc"
	"golang.org/x/sys/unix"
)

// A disk that stalls holds up whoever opens a file on it, as does a pipe that nobody
// reads; that must not be told as the target's recovery.
func TestSingleComesBackBesideADiskThatStalls(t *testing.T) {
	s := newStage(t)
	target := NewSingle(SingleConfig{Restart: "on-failure"}, s.Options)
	s.play(target)
	if err := os.Rename(target.Log(), target.Log()+".1"); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(target.Log(), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() {
		// Whoever waits for a reader goes on, and who reads the log would wait too.
		if r, err := os.OpenFile(target.Log(), os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil {
			defer r.Close()
		}
		_ = os.Remove(target.Log())
	}()
	before, _ := target.Main()
	if err := proc.Signal(before, os.Kill); err != nil {
		t.Fatal(err)
	}
	s.await("the next life", func() bool {
		now, alive := target.Main()
		workers, _ := target.Workers()
		return alive && now != before && len(workers) == 1 && workers[0].Ready
	})
}

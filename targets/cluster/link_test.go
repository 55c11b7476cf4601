//go:build unix

package cluster

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A worker that its master does not know leaves as one without a master does.
func TestWorkerThatIsTurnedAwayLeaves(t *testing.T) {
	dir, err := os.MkdirTemp("", "hc") // a test's own directory has too long a path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ln, err := listenUnix(wireNetwork, filepath.Join(dir, "w"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int)
	go func() {
		for dials := 0; ; dials++ {
			conn, err := ln.AcceptUnix()
			if err != nil {
				ended <- dials
				return
			}
			conn.Close()
		}
	}()
	const lifeline = 10 * redialEvery
	l := newLink(workerConfig{Socket: ln.Addr().String(), Lifeline: lifeline}, slog.New(slog.DiscardHandler))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		l.keep()
	}()
	select {
	case <-gone:
		ln.Close()
	case <-time.After(patience):
		t.Error("it dials on")
		ln.Close()
		<-gone
	}
	if dials := <-ended; dials > int(lifeline/redialEvery)+1 {
		t.Errorf("it dialled %d times within %s", dials, lifeline)
	}
	select {
	case <-l.leave:
	default:
		t.Error("it stays")
	}
}

// A connection that came without its descriptor, since there is none left for it, is
// given back at once.
func TestLinkGivesBackWhatItHasNoRoomFor(t *testing.T) {
	ours, theirs := pairOfWires(t)
	l := newLink(workerConfig{}, slog.New(slog.DiscardHandler))
	for _, h := range []*hearing{{link: l, wire: ours}, {link: l, wire: ours, second: true}} {
		if err := h.handle(frame{kind: handed, n: 7}, -1); err != nil {
			t.Fatal(err)
		}
		theirs.deadline(time.Now().Add(patience))
		if f, _, err := theirs.receive(); err != nil || f != (frame{kind: dropped, x: 1, n: 7}) {
			t.Errorf("the master hears %+v, %v", f, err)
		}
	}
}

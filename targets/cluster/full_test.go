//go:build unix

package cluster

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// fill sends frames until there is no room, and returns how many had.
func (w *wire) fill(t *testing.T) (n int) {
	t.Helper()
	for ; ; n++ {
		switch err := w.send(frame{kind: broadcast, n: uint64(n)}, -1); {
		case errors.Is(err, errFull):
			return n
		case err != nil:
			t.Fatal(err)
		}
	}
}

// pairOfWires returns two ends, with whose life the test has nothing to do.
func pairOfWires(t *testing.T) (ours, theirs *wire) {
	t.Helper()
	ours, f, err := wirePair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ours.close)
	if theirs, err = wireOf(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(theirs.close)
	return ours, theirs
}

func TestSendWaitsForNobody(t *testing.T) {
	ours, theirs := pairOfWires(t)
	n := ours.fill(t)
	if err := ours.push(frame{kind: handed}, -1, time.Now().Add(time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("where there is no room in time: %v", err)
	}
	pushed := make(chan error)
	go func() { pushed <- ours.push(frame{kind: drain}, -1, time.Now().Add(patience)) }()
	for i := range n { // whole frames, and all of them
		if f, _, err := theirs.receive(); err != nil || f.kind != broadcast || f.n != uint64(i) {
			t.Fatalf("frame %d is %+v, %v", i, f, err)
		}
	}
	if err := <-pushed; err != nil {
		t.Error(err)
	}
	if f, _, err := theirs.receive(); err != nil || f.kind != drain {
		t.Errorf("the last frame is %+v, %v", f, err)
	}
}

// A worker that does not read is left alone until it does.
func TestHandoffPassesOverAFullWire(t *testing.T) {
	b := newBench(t)
	frozen := b.worker()
	n := frozen.member.wire.fill(t)
	b.say("first")
	b.awaitQueue(1)
	other := b.worker()
	if c, _ := other.next(); heard(t, c) != "first" {
		t.Error("another one came")
	}
	b.say("second")
	b.awaitQueue(1)
	for range n {
		if _, _, err := frozen.receive(); err != nil {
			t.Fatal(err)
		}
	}
	b.takeBack(patience)
	if c, _ := frozen.next(); heard(t, c) != "second" {
		t.Error("another one came")
	}
}

// A worker to which a connection cannot be sent goes on getting others.
func TestHandoffForgivesTheKernel(t *testing.T) {
	b := newBench(t)
	w := b.worker()
	b.add(&client{fd: 1 << 28}) // no such descriptor
	b.giveUp(0)
	b.takeBack(patience)
	b.say("next")
	c, number := w.next()
	if heard(t, c) != "next" {
		t.Error("another one came")
	}
	b.said(w.member, frame{kind: taken, n: number})
	w.close() // which is for good
	b.say("last")
	if !eventually(func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return w.member.leaving
	}) {
		t.Error("one that has ended is still in use")
	}
}

// A worker that has no room for a connection is left alone for a moment, not asked
// again and again.
func TestHandoffPassesOverWhoHasNoRoom(t *testing.T) {
	b := newBench(t)
	w := b.worker()
	b.say("first")
	_, number := w.next()
	b.said(w.member, frame{kind: dropped, x: 1, n: number})
	w.none()
	if n := b.queued(); n != 1 {
		t.Errorf("%d are in line", n)
	}
	b.takeBack(patience)
	if c, _ := w.next(); heard(t, c) != "first" {
		t.Error("another one came")
	}
}

// A frozen worker stops neither its master nor, once it goes on, itself.
func TestMasterGoesOnBesideAFrozenWorker(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.Broadcast = &Broadcast{Interval: units.Duration(time.Millisecond)}
	f := start(t, masterOptions{Config: conf})
	id := f.id(1)
	f.freeze(id)
	queries := f.status().Queries
	f.await("more values than have room", func(s Status) bool { return s.Queries > queries+1000 })
	f.signal(id, "SIGCONT")
	served := f.status().Workers[0].Requests
	l := f.load(4, false)
	f.await("the worker to serve again", func(s Status) bool { return s.Workers[0].Requests > served })
	l.end()
	if f.id(1) != id {
		t.Error("it was replaced")
	}
}

// A standby that is frozen for long is replaced, and its master goes on.
func TestMasterReplacesAStandbyThatDoesNotListen(t *testing.T) {
	ours, _ := pairOfWires(t)
	ours.fill(t)
	p, err := proc.Start(proc.Command{Path: "sleep", Args: []string{"1000"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	m := &master{
		Options: Options{Log: testLog()}, dispatch: makeHandoff(config(1, "handoff", 0), false, page.NewDesk(), testLog()),
		posts: make(chan func()), done: make(chan struct{}), alone: make(chan struct{}),
	}
	m.wg.Go(func() {
		for {
			select {
			case f := <-m.posts:
				f()
			case <-m.done:
				return
			}
		}
	})
	defer m.wg.Wait()
	defer close(m.done)
	if !m.beat(&standby{Process: p, wire: ours}, m.alone) {
		t.Error("it is to be replaced because of its listeners")
	}
	if x := p.Exit(); x.Signal != "SIGKILL" {
		t.Errorf("the standby %s", x)
	}
}

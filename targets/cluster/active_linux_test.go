package cluster

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"testing"

	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// newBeside returns what an active standby accepts with, which reaches workers by
// the ends of wires that come out of the channel.
func newBeside(b *bench) (a *active, reached chan *wire) {
	reached = make(chan *wire, 8)
	a = &active{dispatch: b.handoff, page: b.page, known: map[*page.Entry]*followed{}, cancel: func() {}}
	a.greet = func(*member) (*wire, error) {
		ours, theirs, err := wirePair()
		if err != nil {
			return nil, err
		}
		w, err := wireOf(theirs)
		if err != nil {
			return nil, err
		}
		b.t.Cleanup(w.close)
		reached <- w
		return ours, nil
	}
	return a, reached
}

// self adds this process as a worker that is ready.
func (b *bench) self() *page.Entry {
	b.t.Helper()
	info, err := proc.Lookup(os.Getpid())
	if err != nil {
		b.t.Fatal(err)
	}
	_, e := b.page.Add(1, 1, 1, 0)
	e.Start(info.ID)
	e.SetReady(true)
	return e
}

// sayHello is what a worker does that a wire has reached.
func sayHello(t *testing.T, w *wire) {
	t.Helper()
	if err := w.send(frame{kind: hello}, -1); err != nil {
		t.Fatal(err)
	}
}

// of are the members for the worker of an entry.
func (h *handoff) of(e *page.Entry) (members []*member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.members {
		if m.entry == e {
			members = append(members, m)
		}
	}
	return members
}

// A worker that rested is the one that it was, over the wire that it had.
func TestWorkerThatRestedIsOneMember(t *testing.T) {
	b := newBench(t)
	a, reached := newBeside(b)
	e := b.self()
	a.look()
	w := <-reached
	e.SetReady(false)
	a.look()
	sayHello(t, w) // while it rests
	b.say("first")
	b.awaitQueue(1)
	// What is heard over the same wire was said after the hello.
	if err := w.send(frame{kind: dropped}, -1); err != nil {
		t.Fatal(err)
	}
	p := &puppet{wire: w, t: t}
	if !eventually(func() bool { m := b.of(e); return len(m) == 1 && b.handOf(m[0]) != nil }) {
		t.Fatal("its hello was not heard")
	}
	if b.queued() != 1 {
		t.Error("it is handed a connection while it rests")
	}
	e.SetReady(true)
	a.look()
	c, number := p.next()
	if got := heard(t, c); got != "first" || !e.Claim(number) {
		t.Errorf("%q came", got)
	}
	for range 3 {
		e.SetReady(false)
		a.look()
		e.SetReady(true)
		a.look()
	}
	if n := len(reached); n != 0 || len(b.of(e)) != 1 {
		t.Errorf("it was reached %d times more, and is %d members", n, len(b.of(e)))
	}
}

func (h *handoff) handOf(m *member) *wire {
	h.mu.Lock()
	defer h.mu.Unlock()
	return m.hand
}

// A standby that takes over before a worker has said hello to it knows that worker
// once, whichever way it comes.
func TestTakeoverBeforeHello(t *testing.T) {
	for _, first := range []string{"hello", "dial", "nothing"} {
		t.Run(first, func(t *testing.T) {
			b := newBench(t)
			a, reached := newBeside(b)
			e := b.self()
			a.look()
			w := <-reached
			m := b.heir(a)
			m.adopt()
			a.forget()
			it := m.slots[0].current
			if it == nil || it.member == nil || len(b.of(e)) != 1 {
				t.Fatalf("the worker was not taken over: %+v, %d members", it, len(b.of(e)))
			}
			dials := func() {
				ours, theirs, err := wirePair()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(ours.close)
				t.Cleanup(func() { theirs.Close() })
				it.member.wire = ours
				b.join(it.member)
			}
			switch first {
			case "hello":
				sayHello(t, w)
				if !eventually(func() bool { return b.handOf(it.member) != nil }) {
					t.Fatal("its hello was not heard")
				}
				dials()
			case "dial":
				dials()
				b.say("first")
				if !eventually(func() bool { return b.offered(it.member) != 0 }) {
					t.Fatal("it is handed nothing")
				}
				number := b.offered(it.member)
				sayHello(t, w)
				if err := w.send(frame{kind: dropped, n: number}, -1); err != nil {
					t.Fatal(err)
				}
				if !eventually(func() bool { return b.offered(it.member) != number }) { // once more
					t.Fatal("what it says after its hello was not heard")
				}
			case "nothing": // the end of the wire was lost with the master
				w.close()
				if !eventually(func() bool { return len(b.of(e)) == 0 }) {
					t.Fatal("its end was not heard")
				}
				dials()
			}
			if !slices.Equal(b.of(e), []*member{it.member}) {
				t.Errorf("the worker is %d members", len(b.of(e)))
			}
			m.retire(it)
			b.say("later")
			b.awaitQueue(1) // nobody is there who takes it
		})
	}
}

// offered is the number of the connection that a worker is to take; 0: none.
func (h *handoff) offered(m *member) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.untaken == nil {
		return 0
	}
	return m.untaken.number
}

// heir returns the master that an active standby becomes. No process is to end by
// it.
func (b *bench) heir(a *active) *master {
	b.t.Helper()
	conf := config(1, "handoff", 0)
	conf.SetDefaults()
	a.yield()
	m, err := newMaster(Options{Config: conf, Dir: b.t.TempDir(), Log: slog.New(slog.DiscardHandler)},
		&estate{page: b.page, begun: a.dispatch, reached: a.reached()}, 1)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		close(m.done)
		for w := range m.living {
			w.timer.Stop()
		}
		m.wg.Wait()
		m.printed.close()
	})
	return m
}

// Clients that have said nothing yet go on with the master when its standby
// retires.
func TestRetiringStandbyGivesBackWhoIsSilent(t *testing.T) {
	first, second := newBench(t), newBench(t)
	ours, theirs, err := wirePair()
	if err != nil {
		t.Fatal(err)
	}
	back, err := wireOf(theirs)
	if err != nil {
		t.Fatal(err)
	}
	m, s := &master{dispatch: first.handoff}, &standby{wire: ours}
	silent := make(chan struct{})
	go func() {
		defer close(silent)
		m.hear(s)
	}()
	conn := second.say("")
	second.say("it waits for a worker")
	second.awaitQueue(1)
	if !eventually(func() bool { return second.figures().conns == 2 }) {
		t.Fatal("the standby has no silent client")
	}
	a, _ := newBeside(second)
	a.end(patience, true, back)
	first.awaitQueue(1)
	if _, err := io.WriteString(conn, "at last"); err != nil {
		t.Fatal(err)
	}
	first.awaitQueue(2)
	back.close()
	<-silent
	ours.close()
}

// A worker that was taken over cannot be told anything before it has dialled.
func TestExitBeforeTheWorkerDials(t *testing.T) {
	b := newBench(t)
	a, _ := newBeside(b)
	b.self()
	a.look()
	m := b.heir(a)
	m.adopt()
	go func() { (<-m.posts)() }()
	if err := m.exit(1, 3); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a worker without a wire was told to exit: %v", err)
	}
}

//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/port"
	"golang.org/x/sys/unix"
)

// bench is a handoff with workers that are only wires.
type bench struct {
	*handoff
	t       *testing.T
	address string
	page    *page.Page
}

// newBench returns a handoff whose kernel does not wait for something to read.
func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchAt(t, page.NewDesk(), Config{})
}

// newBenchAt is newBench for a handoff that may not be the only one.
func newBenchAt(t *testing.T, desk *page.Desk, c Config) *bench {
	t.Helper()
	p, err := page.Create(filepath.Join(t.TempDir(), "page"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	ln, err := port.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	c.SetDefaults()
	h, err := newHandoff(ln, c, false, desk, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h.wg.Go(func() { // and takes nothing back by itself
		defer close(h.swept)
		h.accept(h.ln)
	})
	t.Cleanup(h.close)
	return &bench{h, t, address, p}
}

// puppet is a worker that does what a test says.
type puppet struct {
	*wire
	t      *testing.T
	member *member
}

func (b *bench) worker() *puppet {
	b.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, socketType, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	var wires [2]*wire
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(f)
		f.Close()
		if err != nil {
			b.t.Fatal(err)
		}
		wires[i] = newWire(conn.(*net.UnixConn))
		b.t.Cleanup(wires[i].close)
	}
	_, entry := b.page.Add(1, 1, 1, 0)
	p := &puppet{wires[1], b.t, &member{wire: wires[0], entry: entry}}
	b.join(p.member)
	return p
}

// next returns the connection that was handed over, still untaken.
func (p *puppet) next() (c *os.File, number uint64) {
	p.t.Helper()
	p.deadline(time.Now().Add(patience))
	f, fd, err := p.receive()
	if err != nil || f.kind != handed || fd < 0 {
		p.t.Fatalf("frame %+v, descriptor %d, %v", f, fd, err)
	}
	c = os.NewFile(uintptr(fd), "tcp")
	p.t.Cleanup(func() { c.Close() })
	return c, f.n
}

// none checks that nothing is handed over. Whatever would be was sent before
// the frame that it sends itself.
func (p *puppet) none() {
	p.t.Helper()
	if err := p.member.wire.send(frame{kind: drain}, -1); err != nil {
		p.t.Fatal(err)
	}
	if f, _, err := p.receive(); err != nil || f.kind != drain {
		p.t.Fatalf("it was handed %+v, %v", f, err)
	}
}

// say sends a client's first words, by which it is known.
func (b *bench) say(words string) net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, words); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// heard reads what a handed connection's client said.
func heard(t *testing.T, c *os.File) string {
	t.Helper()
	b := make([]byte, 100)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func (b *bench) awaitQueue(n int) {
	b.t.Helper()
	if !eventually(func() bool { return b.queued() == n }) {
		b.t.Fatalf("%d connections are in line, want %d", b.queued(), n)
	}
}

func TestHandoffInTurnAndOneAtATime(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.say(fmt.Sprint("client ", i))
		b.awaitQueue(i + 1)
	}
	one := b.worker()
	two := b.worker()
	c0, n0 := one.next()
	c1, n1 := two.next()
	one.none()
	two.none()
	b.awaitQueue(3)
	// Taken: it gets the next one. In line they stay in order.
	if !one.member.entry.Claim(n0) {
		t.Fatal("an offer cannot be claimed")
	}
	b.said(one.member, frame{kind: taken, n: n0})
	c2, _ := one.next()
	two.member.entry.Claim(n1)
	b.said(two.member, frame{kind: taken, n: n1})
	c3, _ := two.next()
	for i, c := range []*os.File{c0, c1, c2, c3} {
		if got, want := heard(t, c), fmt.Sprint("client ", i); got != want {
			t.Errorf("connection %d is that of %q", i, got)
		}
	}
	b.awaitQueue(1)
}

func TestHandoffPrefersTheIdle(t *testing.T) {
	b := newBench(t)
	one, two := b.worker(), b.worker()
	one.member.entry.Busy.Store(1)
	b.say("a")
	c, n := two.next()
	if got := heard(t, c); got != "a" {
		t.Errorf("heard %q", got)
	}
	one.none()
	// When all work, one each may wait.
	two.member.entry.Busy.Store(1)
	two.member.entry.Claim(n)
	b.said(two.member, frame{kind: taken, n: n})
	b.say("b")
	b.say("c")
	one.next()
	two.next()
}

func TestHandoffTakesBackFromTheDead(t *testing.T) {
	b := newBench(t)
	one := b.worker()
	client := b.say("first")
	c, _ := one.next()
	b.say("second")
	b.awaitQueue(1)
	// It dies with what it was handed in its hand, untaken.
	b.gone(one.member)
	one.close()
	c.Close()
	two := b.worker()
	again, n := two.next()
	if got := heard(t, again); got != "first" {
		t.Errorf("the first to be served after a death is %q", got)
	}
	// This one dies with what it had taken: the client sees an end.
	two.member.entry.Claim(n)
	b.said(two.member, frame{kind: taken, n: n})
	again.Close()
	b.gone(two.member)
	_ = client.SetReadDeadline(time.Now().Add(patience))
	if _, err := client.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client of a dead worker reads %v", err)
	}
}

func TestHandoffTakesBackFromTheSlow(t *testing.T) {
	b := newBench(t)
	slow := b.worker()
	b.say("words")
	c, n := slow.next()
	fast := b.worker()
	b.takeBack(0)
	other, m := fast.next()
	if n == m || heard(t, other) != "words" {
		t.Error("it was given to another worker as if it were the same")
	}
	if slow.member.entry.Claim(n) {
		t.Error("what was taken back can be claimed")
	}
	c.Close()
	// Until it says that it has dropped it, it gets nothing.
	fast.member.entry.Claim(m)
	b.leave(fast.member)
	b.said(fast.member, frame{kind: taken, n: m})
	b.say("more")
	b.awaitQueue(1)
	slow.none()
	b.said(slow.member, frame{kind: dropped, n: n})
	more, _ := slow.next()
	if got := heard(t, more); got != "more" {
		t.Errorf("heard %q", got)
	}
}

func TestHandoffGivesNothingToWhoLeaves(t *testing.T) {
	b := newBench(t)
	one := b.worker()
	b.leave(one.member)
	b.say("words")
	b.awaitQueue(1)
	one.none()
	b.worker().next()
}

func TestSilentClientsWaitAside(t *testing.T) {
	b := newBench(t)
	w := b.worker()
	quiet := b.say("")
	over := b.say("")
	over.Close()
	b.say("words")
	c, n := w.next()
	if got := heard(t, c); got != "words" {
		t.Errorf("heard %q", got)
	}
	w.member.entry.Claim(n)
	b.said(w.member, frame{kind: taken, n: n})
	w.none()
	if _, err := io.WriteString(quiet, "at last"); err != nil {
		t.Fatal(err)
	}
	c, _ = w.next()
	if got := heard(t, c); got != "at last" {
		t.Errorf("heard %q", got)
	}
}

func TestSilenceHasAnEnd(t *testing.T) {
	a := newAside(new(atomic.Int64), func(c *client) { c.close() })
	a.timeout = time.Millisecond
	defer a.close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	a.add(fds[0])
	other := os.NewFile(uintptr(fds[1]), "client")
	defer other.Close()
	if _, err := other.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a silent client reads %v", err)
	}
}

func TestFullLineRefuses(t *testing.T) {
	b := newBench(t)
	b.mu.Lock()
	b.room = 2
	b.mu.Unlock()
	b.say("one")
	b.say("two")
	b.awaitQueue(2)
	// Even one that goes on sending reads the answer, and no reset.
	refused := b.say("three" + strings.Repeat(".", 10000))
	_ = refused.SetDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(refused)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 503 ") || !strings.Contains(string(answer), "\r\nRetry-After: 1\r\n") {
		t.Errorf("the answer is %q, %v", answer, err)
	}
	b.worker().next()
}

func TestLongWaitIsRefused(t *testing.T) {
	b := newBench(t)
	late := b.say("late")
	b.awaitQueue(1)
	b.giveUp(time.Hour)
	b.awaitQueue(1)
	b.giveUp(0)
	b.awaitQueue(0)
	_ = late.SetDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(late)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 503 ") || !strings.HasSuffix(string(answer), "queue timeout\n") {
		t.Errorf("the answer is %q, %v", answer, err)
	}
	if n := b.refuse.counts[tooLate].Load(); n != 1 {
		t.Errorf("%d refusals are counted", n)
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	b := newBench(t)
	waiting, quiet := b.say("words"), b.say("")
	b.awaitQueue(1)
	ctx, cancel := timeout()
	cancel()
	b.drain(ctx) // nobody takes it: only the context ends the wait
	conn, err := net.Dial("tcp", b.address)
	if err == nil {
		conn.Close()
		t.Error("a drained handoff listens")
	}
	b.close()
	for _, c := range []net.Conn{waiting, quiet} {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a client of a closed handoff reads %v", err)
		}
	}
}

func TestFIFO(t *testing.T) {
	var f fifo
	want := []int{}
	next := 0
	for round := range 500 {
		switch {
		case round%7 == 3 && f.len() > 0:
			f.unshift(&client{fd: next})
			want = append([]int{next}, want...)
			next++
		case round%3 == 2 && f.len() > 0:
			if got := f.pop().fd; got != want[0] {
				t.Fatalf("round %d: %d came first, want %d", round, got, want[0])
			}
			want = want[1:]
		default:
			f.push(&client{fd: next})
			want = append(want, next)
			next++
		}
		if f.len() != len(want) {
			t.Fatalf("round %d: %d in line, want %d", round, f.len(), len(want))
		}
	}
	for _, w := range want {
		if got := f.pop().fd; got != w {
			t.Fatalf("%d came first, want %d", got, w)
		}
	}
}

// A real worker that takes in one request at a time: the next one waits in the
// master's line, until it is full or the wait too long.
func TestMaxInFlightFillsTheLine(t *testing.T) {
	c := config(1, "handoff", 0)
	c.App.Wait = units.Duration(time.Hour)
	c.KillTimeout = units.Duration(time.Millisecond)
	c.MaxInFlight = 1
	c.Queue = Queue{Size: 1, Timeout: units.Duration(300 * time.Millisecond)}
	f := start(t, masterOptions{Config: c})
	ctx, cancel := timeout()
	defer cancel()
	f.burst(ctx, 1)
	f.await("a request to be worked on", func(s Status) bool { return s.Workers[0].InFlight == 1 })
	// One more is offered to the worker, one is in line: of three one is refused
	// at once, the others when they have waited.
	answers := f.burst(ctx, 3)
	for range 3 {
		if a := <-answers; a.err != nil || a.status != http.StatusServiceUnavailable {
			t.Errorf("a request without a place: %+v", a)
		}
	}
	if s := f.status(); s.Workers[0].InFlight != 1 || s.Queued != 0 {
		t.Errorf("at last: %+v", s)
	}
}

// A worker is handed connections over a wire of its own only once it has said
// hello there, under numbers that the other master does not use.
func TestHandoffOverAWireOfItsOwn(t *testing.T) {
	b := newBench(t)
	b.number |= page.SecondOffer
	ours, theirs, err := wirePair()
	if err != nil {
		t.Fatal(err)
	}
	w, err := wireOf(theirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	_, entry := b.page.Add(1, 1, 1, 0)
	p := &puppet{w, t, &member{entry: entry}}
	over := make(chan struct{})
	b.attend(p.member, ours, func() { close(over) })
	b.say("first")
	b.awaitQueue(1)
	if err := w.send(frame{kind: hello}, -1); err != nil {
		t.Fatal(err)
	}
	c, number := p.next()
	if got := heard(t, c); got != "first" || number&page.SecondOffer == 0 || !entry.Claim(number) {
		t.Errorf("%q is handed over under number %x", got, number)
	}
	if err := w.send(frame{kind: taken, n: number}, -1); err != nil {
		t.Fatal(err)
	}
	b.say("second")
	if c, _ := p.next(); heard(t, c) != "second" {
		t.Error("another one came")
	}
	w.close() // it ends before it has taken the second
	<-over
	b.awaitQueue(1)
}

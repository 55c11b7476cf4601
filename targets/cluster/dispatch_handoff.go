//go:build unix

package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/page"
	"golang.org/x/sys/unix"
)

// reclaimAfter is how long a worker may leave a connection untaken before it is
// offered to another one.
const reclaimAfter = 100 * time.Millisecond

// handoff accepts connections in the master and hands each to a free worker.
//
// A worker is free while nothing that was handed to it is untaken, and it takes
// one only while it has a processor for it. So at most one connection waits at
// each worker, the others wait here, and where a worker freezes or dies only
// what it works on is hurt: the connection that it has not taken yet is taken
// back. Who has it is decided by the page (see page.Entry.Claim), not by who
// hears of it first.
type handoff struct {
	ln       *os.File      // nil: connections arrive otherwise
	threads  int64         // of each worker
	room     int           // how many connections may wait, with any master
	patience time.Duration // how long they may
	reject   bool          // what waits when the cluster stops
	log      *slog.Logger
	desk     *page.Desk
	wg       sync.WaitGroup
	stop     chan struct{} // ends reclaim
	swept    chan struct{} // closed when nothing more is accepted
	silent   *aside
	refuse   refusal

	mu      sync.Mutex
	queue   fifo
	members []*member
	turn    int                // whose turn it is: an index of members
	number  uint64             // of the connection handed over last
	closed  bool               // nobody is left to hand over to
	hands   []*wire            // of workers that are reached by wires of its own
	settled chan struct{}      // not nil: closed when nothing is left to hand over
	give    func(fd int) error // not nil: takes what no worker has taken
}

// client is a connection that no worker has taken.
type client struct {
	fd     int
	file   *os.File // owns fd if it is set
	number uint64   // under which it was offered
	came   clock.Time
	at     clock.Time // when it was offered
}

func (c *client) close() {
	if c.file != nil {
		c.file.Close()
	} else {
		unix.Close(c.fd)
	}
}

// newHandoff owns ln. Of two masters that hand over to the same workers one is the
// second, and so is every other one that comes after another.
func newHandoff(ln *net.TCPListener, c Config, second bool, desk *page.Desk, log *slog.Logger) (*handoff, error) {
	fd, err := detach(ln)
	if err != nil {
		return nil, err
	}
	h := makeHandoff(c, second, desk, log)
	h.ln, h.swept = os.NewFile(uintptr(fd), "listener"), make(chan struct{})
	return h, nil
}

// makeHandoff returns one without a listener.
func makeHandoff(c Config, second bool, desk *page.Desk, log *slog.Logger) *handoff {
	h := &handoff{
		threads: int64(c.Threads), room: c.Queue.Size, patience: c.Queue.Timeout.Std(),
		reject: c.Drain.Mode == "reject", log: log, desk: desk, stop: make(chan struct{}),
		queue: fifo{held: desk.Mine(page.Waiting)}, refuse: refusal{counts: &desk.Refused},
	}
	// Another master may have offered under a number, and died.
	h.number = uint64(clock.Now()) &^ page.SecondOffer
	if second {
		h.number |= page.SecondOffer
	}
	h.silent = newAside(desk.Mine(page.Conns), h.add)
	return h
}

// open begins to accept.
func (h *handoff) open() {
	if h.ln != nil {
		h.wg.Go(func() {
			defer close(h.swept)
			h.accept(h.ln)
		})
	}
	h.wg.Go(h.reclaim)
}

// endAccept returns when nothing more is accepted.
func (h *handoff) endAccept() {
	if h.ln != nil {
		_ = h.ln.SetDeadline(time.Unix(1, 0)) // an error says that it is closed
		<-h.swept
	}
}

// add puts a connection at the end of the line.
func (h *handoff) add(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		c.close()
	case h.desk.Exceeds(page.Waiting, int64(h.room)-1):
		h.refuse.answer(c, tooMany)
	default:
		c.came = clock.Now()
		h.queue.push(c)
		h.dispatch()
	}
}

// dispatch hands over from the front of the line while there is a free worker.
func (h *handoff) dispatch() {
	for h.queue.len() > 0 {
		m := h.free()
		if m == nil {
			return
		}
		c := h.queue.pop()
		h.number++
		c.number, c.at = h.number, clock.Now()
		m.entry.Offer(c.number)
		if err := m.hand.send(frame{kind: handed, n: c.number}, c.fd); err != nil {
			// It has ended, as its reader is about to find out, or is frozen, or the
			// kernel has no room just now.
			m.entry.Claim(c.number)
			if m.full = !isOver(err); !m.full {
				m.leaving = true
			}
			h.back(c)
			continue
		}
		m.untaken = c
	}
	if h.settled != nil && !slices.ContainsFunc(h.members, func(m *member) bool { return m.untaken != nil }) {
		close(h.settled)
		h.settled = nil
	}
}

// isOver tells whether sending failed because the other side is gone for good.
func isOver(err error) bool {
	return slices.ContainsFunc([]error{unix.EPIPE, unix.ECONNRESET, unix.ENOTCONN, net.ErrClosed, io.ErrShortWrite}, func(e error) bool { return errors.Is(err, e) })
}

// back puts a connection first in line, or gives it to another process.
func (h *handoff) back(c *client) {
	switch {
	case h.closed:
		c.close()
	case h.give != nil:
		_ = h.give(c.fd) // if the other has ended, the client sees an end
		c.close()
	default:
		h.queue.unshift(c)
	}
}

// free returns the next worker in turn that is idle, or else one that works but
// has nothing waiting.
func (h *handoff) free() *member {
	var busy *member
	n := len(h.members)
	for i := range n {
		m := h.members[(h.turn+i)%n]
		if m.hand == nil || m.untaken != nil || m.stalled != 0 || m.full || m.leaving {
			continue
		}
		if m.entry.Busy.Load() < h.threads {
			h.turn = (h.turn + i + 1) % n
			return m
		}
		if busy == nil {
			busy = m
		}
	}
	if busy != nil {
		h.turn = (slices.Index(h.members, busy) + 1) % n
	}
	return busy
}

func (h *handoff) join(m *member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.hand == nil {
		m.hand = m.wire
	}
	if m.leaving = false; !slices.Contains(h.members, m) {
		h.members = append(h.members, m)
	}
	h.dispatch()
}

// leave hands nothing more to a worker. What it has not taken it will take.
func (h *handoff) leave(m *member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.leaving = true
}

// said hears what a worker did with a connection.
func (h *handoff) said(m *member, f frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.kind == dropped && f.x == 1 {
		m.full = true
	}
	switch {
	case f.kind == taken && m.untaken != nil && m.untaken.number == f.n:
		m.untaken.close()
		m.untaken = nil
	case f.kind == dropped && m.stalled == f.n:
		m.stalled = 0
	case f.kind == dropped && m.untaken != nil && m.untaken.number == f.n:
		h.back(m.untaken)
		m.untaken = nil
	}
	h.dispatch()
}

// gone takes back what a worker had not taken when its connection ended: all
// that it ever said has been heard by then.
func (h *handoff) gone(m *member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members = slices.DeleteFunc(h.members, func(o *member) bool { return o == m })
	if c := m.untaken; c != nil {
		m.untaken = nil
		if m.entry.Claim(c.number) {
			h.back(c)
		} else {
			// It died between claiming it and saying so, or goes on without this
			// master and serves it.
			c.close()
		}
	}
	h.dispatch()
}

// reclaim takes back, now and then, what workers do not get to.
func (h *handoff) reclaim() {
	tick := time.NewTicker(reclaimAfter / 2)
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
		}
		h.takeBack(reclaimAfter)
		h.giveUp(h.patience)
	}
}

// giveUp refuses what has been in line for so long. The line is in the order in
// which it came, but for what was taken back.
func (h *handoff) giveUp(after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.queue.len() > 0 && clock.Since(h.queue.first().came) >= after {
		h.refuse.answer(h.queue.pop(), tooLate)
	}
}

// takeBack takes back what was handed over at least so long ago and not taken.
func (h *handoff) takeBack(after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.members {
		m.full = false // perhaps, which the next attempt shows
		c := m.untaken
		if c != nil && clock.Since(c.at) >= after && m.entry.Claim(c.number) {
			m.untaken, m.stalled = nil, c.number
			h.back(c)
		}
	}
	h.dispatch()
}

// inherit is nothing: a worker gets its connections over its wire.
func (h *handoff) inherit(int) ([]*os.File, error) { return nil, nil }

func (h *handoff) bequeath() ([]int, []syscall.Conn) { return nil, []syscall.Conn{h.ln} }

// desert, vacate and spare do nothing: nobody waits for one worker alone.
func (h *handoff) desert(int) {}
func (h *handoff) vacate(int) {}
func (h *handoff) spare(int)  {}

// queued is how many connections wait for a worker, with any master.
func (h *handoff) queued() int { return int(h.desk.All(page.Waiting)) }

// drain closes the listener, and returns when all that had come by then was
// taken by workers, or ctx ends.
func (h *handoff) drain(ctx context.Context) {
	h.endAccept()
	settled := make(chan struct{})
	h.mu.Lock()
	h.settled = settled
	for h.reject && h.queue.len() > 0 {
		h.refuse.answer(h.queue.pop(), stops)
	}
	h.dispatch()
	h.mu.Unlock()
	select {
	case <-settled:
	case <-ctx.Done():
	}
}

// surrender gives all that has reached no worker to another process, and returns
// when workers have taken the rest, or ctx ends.
func (h *handoff) surrender(ctx context.Context, give func(fd int) error) {
	h.endAccept()
	h.silent.surrender(give)
	h.mu.Lock()
	h.give = give
	for h.queue.len() > 0 {
		h.back(h.queue.pop())
	}
	h.mu.Unlock()
	h.drain(ctx)
}

// close ends all that is left, so that clients see an end, and waits for it.
func (h *handoff) close() {
	_ = h.ln.SetDeadline(time.Unix(1, 0)) // an error says that there is none open
	h.mu.Lock()
	if !h.closed {
		close(h.stop)
	}
	h.closed = true
	for h.queue.len() > 0 {
		h.queue.pop().close()
	}
	hands := slices.Clone(h.hands)
	h.mu.Unlock()
	for _, w := range hands {
		w.close() // it waits for who hears from it, who may wait for the lock
	}
	h.wg.Wait()
	h.ln.Close() // if it never was open
	h.silent.close()
	h.refuse.close()
}

//go:build unix

package cluster

import (
	"context"
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

// halfOpen is longer than the kernel keeps connections that have sent nothing out
// of their listener's queue (see deferAccept).
const halfOpen = 2 * time.Second

// reuseport gives each slot a listener of its own on the one address; the kernel
// spreads new connections over them. The master keeps them all open: closing one
// resets the connections in its queue, which a worker's successor takes instead.
//
// Where no successor is to come, the slot's listener is deserted: the kernel is
// told to choose among the others, what is in its queue is handed to the workers
// of those, and only then is it closed. Other programs can be handed nothing: one
// that is to go accepts on until nothing can come to it any more. Lost is what is
// in the queue of one that ends by itself and is to have no successor.
//
// Where a successor is to come later, the slot's listener is spared until that is
// ready: the others are chosen, and get what is in its queue, as long as there are
// any that serve. What came to a program waits for the next one.
type reuseport struct {
	address  string
	heir     *handoff      // hands over what was left in deserted listeners
	patience time.Duration // after which no worker accepts on a deserted listener
	foreign  bool          // workers are other programs, which can be handed nothing
	log      *slog.Logger
	wg       sync.WaitGroup
	stop     chan struct{} // closed when deserted listeners are to be closed at once

	mu        sync.Mutex
	listeners []*slotListener // in the kernel's order: see remove
	closed    bool
}

// slotListener is the listener of a slot.
type slotListener struct {
	slot     int
	file     *os.File
	deserted bool
	since    clock.Time    // when it was deserted, as far as this master knows
	left     chan struct{} // closed when the program that accepted there has gone; nil: it has
	spared   bool          // nobody accepts there for now
	served   chan struct{} // not nil: what comes there is handed over until this is closed
}

// newReuseport owns the estate's listeners. The one of a new cluster only shows
// that the address is free: a listener that shares its port would share it with
// a stranger's too.
func newReuseport(e *estate, slots int, c Config, log *slog.Logger) (*reuseport, error) {
	r := &reuseport{
		address: e.address, heir: makeHandoff(c, e.second, page.NewDesk(), log), foreign: len(c.Exec) > 0, log: log, stop: make(chan struct{}),
		patience: halfOpen + c.KillTimeout.Std() + killSlack,
	}
	if r.foreign {
		r.patience += halfOpen // see leave
	}
	if e.inherited {
		r.listeners = e.listeners
		r.forget()
		for _, l := range r.listeners {
			l.deserted = l.deserted || l.slot > slots // its master died while it made the cluster smaller
			l.since = clock.Now()
		}
		r.steer()
		return r, nil
	}
	if err := e.ln.Close(); err != nil {
		return nil, err
	}
	for slot := 1; slot <= slots; slot++ {
		if _, err := r.inherit(slot); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// open goes on with what another master had begun.
func (r *reuseport) open() {
	r.heir.open()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.listeners {
		if l.deserted {
			left := make(chan struct{})
			l.left = left
			r.wg.Go(func() { r.clear(l, left) })
		}
	}
}

// at returns the slot's listener; nil if there is none.
func (r *reuseport) at(slot int) *slotListener {
	for _, l := range r.listeners {
		if l.slot == slot && !l.deserted {
			return l
		}
	}
	return nil
}

// inherit returns the slot's listener, which it opens if there is none.
func (r *reuseport) inherit(slot int) ([]*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errStopping
	}
	l := r.at(slot)
	if l == nil {
		ln, err := listenShared(r.address)
		if err != nil {
			return nil, err
		}
		l = &slotListener{slot: slot}
		if l.file, err = inheritable(ln); err != nil {
			return nil, err
		}
		r.listeners = append(r.listeners, l)
		r.steer()
	}
	return []*os.File{l.file}, nil
}

// bequeath lists deserted listeners as negative slots, because they count in the
// kernel's order too.
func (r *reuseport) bequeath() (slots []int, listeners []syscall.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.listeners {
		slot := l.slot
		if l.deserted {
			slot = -slot
		}
		slots, listeners = append(slots, slot), append(listeners, l.file)
	}
	return slots, listeners
}

// inheritSlots is the other side of bequeath.
func inheritSlots(slots []int, next int) (listeners []*slotListener) {
	for i, slot := range slots {
		l := &slotListener{slot: slot, deserted: slot < 0, file: inheritFile(next+i, "listener")}
		if l.deserted {
			l.slot = -slot
		}
		listeners = append(listeners, l)
	}
	return listeners
}

// desert lets no new connections come to a slot, unless it is the last one.
func (r *reuseport) desert(slot int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.at(slot)
	if l == nil || r.closed {
		return
	}
	l.deserted = true
	if len(r.chosen()) == 0 {
		l.deserted = false
		return
	}
	left := make(chan struct{})
	l.since, l.left = clock.Now(), left
	r.settle()
	r.wg.Go(func() { r.clear(l, left) })
}

// spare lets new connections come to other slots until this one has a worker
// again.
func (r *reuseport) spare(slot int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.at(slot); l != nil && !l.spared && !r.closed {
		l.spared = true
		r.settle()
	}
}

// settle lets connections come to where they are served: new ones, and those that
// came to a slot that has no worker for now, if others have one.
func (r *reuseport) settle() {
	serves := slices.ContainsFunc(r.listeners, func(l *slotListener) bool { return !l.deserted && !l.spared })
	for _, l := range r.listeners {
		switch hands := serves && l.spared && !l.deserted && !r.foreign; {
		case hands && l.served == nil:
			served := make(chan struct{})
			l.served = served
			r.wg.Go(func() { r.handOver(l, served) })
		case !hands && l.served != nil:
			close(l.served)
			l.served = nil
		}
	}
	r.steer()
}

// owes tells whether somebody waits in the listener of a slot that was deserted,
// or may come to it yet.
func (r *reuseport) owes(slot int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.desertedAt(slot)
	return l != nil && !r.closed && (clock.Since(l.since) < halfOpen || waits(l.file))
}

// desertedAt returns the slot's listener that was deserted last; nil if there is
// none.
func (r *reuseport) desertedAt(slot int) *slotListener {
	for _, l := range slices.Backward(r.listeners) {
		if l.slot == slot && l.deserted {
			return l
		}
	}
	return nil
}

// vacate is desert for a slot that has no worker, so that no client waits there
// in vain. The last listener is closed, and the one of a program: nobody can be
// handed what is left in it.
func (r *reuseport) vacate(slot int) {
	r.desert(slot)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if l := r.at(slot); l != nil {
		r.remove(l)
	}
	if l := r.desertedAt(slot); r.foreign && l != nil && l.left != nil {
		close(l.left)
		l.left = nil
	}
}

// handOver hands over what comes to a listener until over is closed or the cluster
// stops, and then what has come to it by then.
func (r *reuseport) handOver(l *slotListener, over <-chan struct{}) {
	f, err := duplicate(l.file)
	for ; err != nil; f, err = duplicate(l.file) { // for want of descriptors
		r.log.Warn("accept for a slot without a worker", "worker", l.slot, "error", err)
		select {
		case <-time.After(acceptPause):
		case <-over:
			return
		case <-r.stop:
			return
		}
	}
	var accepting sync.WaitGroup
	accepting.Go(func() { r.heir.accept(f) })
	select {
	case <-over:
	case <-r.stop:
	}
	_ = f.SetDeadline(time.Unix(1, 0))
	accepting.Wait()
}

// clear hands over what comes to a deserted listener, and closes it when nothing
// can come any more, or left is closed.
func (r *reuseport) clear(l *slotListener, left <-chan struct{}) {
	over := make(chan struct{})
	var handing sync.WaitGroup
	if !r.foreign {
		handing.Go(func() { r.handOver(l, over) })
	}
	t := time.NewTimer(r.patience)
	defer t.Stop()
	select {
	case <-t.C:
	case <-left:
	case <-r.stop:
	}
	close(over)
	handing.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return // it may be another master's now
	}
	r.remove(l)
	r.settle()
}

// remove ends a listener, whoever else has it open, as a standby does. The kernel
// numbers the listeners of an address in the order in which they came, and moves
// the last one to where another was ended.
func (r *reuseport) remove(l *slotListener) {
	if raw, err := l.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) }) // closing it does too, if it is the last
	}
	l.file.Close()
	if i := slices.Index(r.listeners, l); i >= 0 {
		last := len(r.listeners) - 1
		r.listeners[i] = r.listeners[last]
		r.listeners = r.listeners[:last]
	}
}

// forget removes what another master ended before it could say so.
func (r *reuseport) forget() {
	for _, l := range slices.Clone(r.listeners) {
		raw, err := l.file.SyscallConn()
		listens := 1
		if err == nil {
			err = raw.Control(func(fd uintptr) { listens, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN) })
		}
		if err == nil && listens == 0 {
			r.remove(l)
		}
	}
}

// chosen are the numbers of the listeners that are to get connections; of those
// that are spared, if there are no others: a worker is to come.
func (r *reuseport) chosen() (numbers []int) {
	var spared []int
	for i, l := range r.listeners {
		switch {
		case l.deserted:
		case l.spared:
			spared = append(spared, i)
		default:
			numbers = append(numbers, i)
		}
	}
	if len(numbers) == 0 {
		return spared
	}
	return numbers
}

// steer tells the kernel which listeners it may choose.
func (r *reuseport) steer() {
	numbers := r.chosen()
	if len(numbers) == 0 {
		return
	}
	if len(numbers) == len(r.listeners) {
		numbers = nil
	}
	if err := steer(r.listeners[0].file, numbers); err != nil {
		r.log.Warn("choose among listeners", "error", err) // what comes to a deserted one is handed over
	}
}

func (r *reuseport) close() {
	r.mu.Lock()
	if !r.closed {
		close(r.stop)
	}
	r.closed = true
	r.mu.Unlock()
	r.wg.Wait()
	r.heir.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.listeners {
		l.file.Close()
	}
	r.listeners = nil
}

// drain hands over what is left in deserted listeners; the others are cleared by
// their workers.
func (r *reuseport) drain(ctx context.Context) {
	r.mu.Lock()
	if !r.closed {
		close(r.stop)
	}
	r.closed = true
	r.mu.Unlock()
	r.wg.Wait()
	r.heir.drain(ctx)
	r.close()
}

func (r *reuseport) join(m *member) {
	if !r.foreign {
		r.heir.join(m)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.at(m.slot); l != nil && l.spared && !r.closed {
		l.spared = false
		r.settle()
	}
}

func (r *reuseport) leave(m *member)         { r.heir.leave(m) }
func (r *reuseport) gone(m *member)          { r.heir.gone(m) }
func (r *reuseport) said(m *member, f frame) { r.heir.said(m, f) }
func (r *reuseport) queued() int             { return r.heir.queued() }

// inheritable turns a listener, which it owns, into a file for children.
func inheritable(ln *net.TCPListener) (*os.File, error) {
	fd, err := detach(ln)
	if err != nil {
		return nil, err
	}
	// A file that is made while its descriptor blocks stays out of Go's poller
	// here, which would wake the master for each connection of its workers. And
	// starting a process does not switch it to blocking then, which would reach
	// all workers, since the mode belongs to what they share.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "listener")
	if err := unix.SetNonblock(fd, true); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

//go:build unix

package cluster

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	redialEvery = 50 * time.Millisecond
	// answerTimeout is how long a worker that wants to leave waits for its master
	// to stop sending it connections.
	answerTimeout = time.Second
)

// link is a worker's connection to whoever is master. When it ends the worker
// dials again, and goes on serving what it has, for the lifeline's time.
type link struct {
	config workerConfig
	log    *slog.Logger
	handed chan handedConn // those that wait for this worker: one of each master at most
	leave  chan struct{}   // closed when the worker is to leave
	last   atomic.Bool     // all workers leave
	once   sync.Once
	probes probes

	// What the master says that concerns neither connections nor the end. All are
	// set before keep is called.
	unready func()
	rest    func(bool)
	value   func(int64)

	mu       sync.Mutex
	master   *hearing   // nil while there is none
	hearings []*hearing // standbys that accept beside it
	ready    *frame     // nil until it is
}

// hearing is a wire from which the worker hears.
type hearing struct {
	link   *link
	wire   *wire
	second bool // its other end may hand over connections, and nothing else
}

// handedConn is a connection as it was handed over, unread.
type handedConn struct {
	fd     int
	number uint64
	from   *wire
}

func newLink(c workerConfig, log *slog.Logger) *link {
	return &link{config: c, log: log, handed: make(chan handedConn, 2), leave: make(chan struct{}), probes: make(probes, 4)}
}

// say tells the master something, if there is one. That the worker is ready is
// said again to each new master.
func (l *link) say(f frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.kind == ready {
		l.ready = &f
	}
	if l.master != nil {
		_ = l.master.wire.send(f, -1) // a master that is gone needs no telling
	}
}

// askToLeave asks the master for no more connections, and waits until it will
// send none.
func (l *link) askToLeave() {
	l.say(frame{kind: leaving})
	t := time.NewTimer(answerTimeout)
	defer t.Stop()
	select {
	case <-l.leave:
	case <-t.C:
	}
}

// keep stays in touch with the master. It returns when there has been none for
// the lifeline's time, and the worker is to leave.
func (l *link) keep() {
	alone := time.Now()
	for time.Since(alone) < l.config.Lifeline {
		dialled := time.Now()
		if h, err := l.dial(); err == nil {
			_ = h.wire.hear(h.handle) // it ends when the master does, however
			l.mu.Lock()
			l.master = nil
			l.mu.Unlock()
			h.wire.close()
			if time.Since(dialled) > helloTimeout {
				alone = time.Now()
				continue
			} // else it may have been turned away, and is as good as without a master
		}
		time.Sleep(redialEvery) // there is nothing to wait on that would tell
	}
	l.log.Warn("there is no master any more: leaves", "worker", l.config.Slot)
	l.last.Store(true)
	l.once.Do(func() { close(l.leave) })
}

// dial connects and says who this is.
func (l *link) dial() (*hearing, error) {
	w, err := dialWire(l.config.Socket)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err = w.send(frame{kind: hello, x: uint32(l.config.Slot), n: uint64(l.config.Life), m: uint64(os.Getpid())}, -1)
	if err == nil && l.ready != nil {
		err = w.send(*l.ready, -1)
	}
	select {
	case <-l.leave: // which another master may have asked for
		if err == nil {
			err = w.send(frame{kind: leaving}, -1)
		}
	default:
	}
	if err != nil {
		w.close()
		return nil, err
	}
	l.master = &hearing{link: l, wire: w}
	return l.master, nil
}

// look handles what the master has sent by now.
func (l *link) look() {
	l.mu.Lock()
	master, others := l.master, l.hearings
	l.mu.Unlock()
	if master != nil {
		master.wire.look(master.handle)
	}
	for _, h := range others {
		h.wire.look(h.handle)
	}
}

// handle does what the other end says.
func (h *hearing) handle(f frame, fd int) error {
	switch {
	case f.kind == handed && fd < 0:
		// This process has no descriptor left for it.
		_ = h.wire.send(frame{kind: dropped, x: 1, n: f.n}, -1)
	case f.kind == handed:
		select {
		case h.link.handed <- handedConn{fd, f.n, h.wire}:
		default: // a new master cannot know that one is waiting here
			unix.Close(fd)
			_ = h.wire.send(frame{kind: dropped, n: f.n}, -1)
		}
	case !h.second:
		h.link.obey(f, fd)
	}
	return nil
}

// obey does what the master says.
func (l *link) obey(f frame, fd int) {
	switch f.kind {
	case second:
		if fd >= 0 {
			l.attendSecond(fd)
		}
	case drain:
		if f.x == 1 {
			l.last.Store(true)
		}
		l.once.Do(func() { close(l.leave) })
	case probed:
		if fd >= 0 {
			l.probes.add(fd)
		}
	case unready:
		l.unready()
	case rest, resume:
		l.rest(f.kind == rest)
	case broadcast:
		l.value(int64(f.n))
	case exit:
		os.Exit(int(f.x))
	}
}

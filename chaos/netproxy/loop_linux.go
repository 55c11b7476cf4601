package netproxy

import (
	"errors"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loop is one goroutine that reads and writes connections as epoll says that
// they are ready. Everything of a connection happens on its loop, so nothing of
// it is locked, and a connection that is idle costs its two descriptors and a
// few hundred bytes.
type loop struct {
	epfd, wakefd, timerfd int

	started time.Time
	now     time.Duration // since started, at the last wake-up
	events  [256]unix.EpollEvent

	slots   []slot
	free    []int32 // indexes of empty slots
	emptied []int32 // and of those emptied since the last wake-up
	again   []*conn // connections that had more to do than their share
	alarms  alarms
	armed   time.Duration // what the timer is set to
	buffer  []byte
	spare   [][]byte
	pipes   []pipe

	mu     sync.Mutex
	posts  []func()
	closed bool
	done   chan struct{}
}

// slot is what an event's number stands for. Its generation tells an event for
// an earlier owner of the slot from one for the present owner.
type slot struct {
	generation int32
	conn       *conn
	listener   *tcpListener
}

const (
	wakeEvent  = -1
	timerEvent = -2

	bufferSize  = 64 << 10
	spareLimit  = 64 // buffers that a loop keeps
	pipeLimit   = 16 // pipes that a loop keeps
	acceptBatch = 64
)

func newLoop() (*loop, error) {
	l := &loop{started: time.Now(), armed: never, buffer: make([]byte, bufferSize), done: make(chan struct{})}
	var err error
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if l.wakefd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.epfd)
		return nil, err
	}
	if l.timerfd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		unix.Close(l.epfd)
		unix.Close(l.wakefd)
		return nil, err
	}
	err = errors.Join(
		l.control(unix.EPOLL_CTL_ADD, l.wakefd, unix.EPOLLIN|unix.EPOLLET, wakeEvent, 0),
		l.control(unix.EPOLL_CTL_ADD, l.timerfd, unix.EPOLLIN|unix.EPOLLET, timerEvent, 0),
	)
	if err != nil {
		l.release()
		return nil, err
	}
	go l.run()
	return l, nil
}

func (l *loop) control(op, fd int, events uint32, id, generation int32) error {
	return unix.EpollCtl(l.epfd, op, fd, &unix.EpollEvent{Events: events, Fd: id, Pad: generation})
}

func (l *loop) run() {
	defer close(l.done)
	for {
		n := l.wait()
		l.now = time.Since(l.started)
		for i := range n {
			l.dispatch(&l.events[i])
		}
		if l.runPosts() {
			return
		}
		l.ring()
		l.goOn()
		l.free = append(l.free, l.emptied...)
		l.emptied = l.emptied[:0]
		l.arm()
	}
}

// wait returns the number of events. It asks without waiting first: under load
// something is ready, and a call that may block costs the scheduler more.
func (l *loop) wait() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epfd), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), 0, 0, 0)
	if errno == 0 && (n > 0 || len(l.again) > 0) {
		return int(n)
	}
	for {
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epfd), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), ^uintptr(0), 0, 0)
		if errno == 0 {
			return int(n)
		}
	}
}

func (l *loop) dispatch(e *unix.EpollEvent) {
	if e.Fd < 0 {
		return // the posts and the alarms are looked at after each wake-up
	}
	s := &l.slots[e.Fd>>1]
	if s.generation != e.Pad {
		return
	}
	if s.listener != nil {
		s.listener.accept()
		return
	}
	s.conn.ready(int(e.Fd&1), e.Events)
}

// take finds a place for a connection or a listener.
func (l *loop) take(c *conn, ln *tcpListener) (index, generation int32) {
	if n := len(l.free); n > 0 {
		index = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		l.slots = append(l.slots, slot{})
		index = int32(len(l.slots) - 1)
	}
	s := &l.slots[index]
	s.conn, s.listener = c, ln
	return index, s.generation
}

// leave empties a place. It is given away only after the events that are
// already there.
func (l *loop) leave(index int32) {
	s := &l.slots[index]
	s.conn, s.listener = nil, nil
	s.generation++
	l.emptied = append(l.emptied, index)
}

// conns calls f for every connection of p.
func (l *loop) conns(p *Proxy, f func(*conn)) {
	for i := range l.slots {
		if c := l.slots[i].conn; c != nil && c.proxy == p {
			f(c)
		}
	}
}

// post lets the loop call f. It returns false if the loop has ended.
func (l *loop) post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.posts = append(l.posts, f)
	if len(l.posts) == 1 {
		one := [8]byte{1}
		unix.Write(l.wakefd, one[:]) // it fails only when it is set already
	}
	return true
}

// do lets the loop call f and returns when it has.
func (l *loop) do(f func()) {
	done := make(chan struct{})
	if l.post(func() { f(); close(done) }) {
		<-done
	}
}

// runPosts calls what was posted, and tells whether the loop is to end.
func (l *loop) runPosts() bool {
	l.mu.Lock()
	posts := l.posts
	l.posts = nil
	if len(posts) > 0 {
		var count [8]byte
		unix.Read(l.wakefd, count[:])
	}
	l.mu.Unlock()
	for _, f := range posts {
		f()
	}
	return l.closed && len(posts) > 0
}

// goOn serves the connections that had used up their share.
func (l *loop) goOn() {
	again := l.again
	l.again = nil
	for _, c := range again {
		c.queued = false
		if !c.ended {
			c.pump()
		}
	}
	if l.again == nil {
		l.again = again[:0]
	}
}

// borrow lends a buffer of bufferSize bytes; give takes it back.
func (l *loop) borrow() []byte {
	if n := len(l.spare); n > 0 {
		b := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return b
	}
	return make([]byte, bufferSize)
}

func (l *loop) give(b []byte) {
	if len(l.spare) < spareLimit {
		l.spare = append(l.spare, b[:bufferSize])
	}
}

// close ends the loop and everything on it, and returns when it has ended.
func (l *loop) close() {
	posted := l.post(func() {
		for i := range l.slots {
			if c := l.slots[i].conn; c != nil {
				c.close(cut)
			}
			if ln := l.slots[i].listener; ln != nil {
				ln.shut()
			}
		}
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
	})
	<-l.done
	if posted {
		l.release()
	}
}

func (l *loop) release() {
	for _, p := range l.pipes {
		p.close()
	}
	unix.Close(l.timerfd)
	unix.Close(l.wakefd)
	unix.Close(l.epfd)
}

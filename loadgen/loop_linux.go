package loadgen

import (
	"context"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hachaos/hachaos/loadgen/clock"
)

const (
	endOfTime  = clock.Time(math.MaxInt64)
	loopEvents = 128 // that one look at the poller returns at most

	// batch is how many requests begin before what has been answered is looked at,
	// few how many between one answer and the next.
	batch, few = 64, 4
	// yieldEvery is how long a loop keeps its processor from other goroutines,
	// which may have to inject a fault just now, if loops hold all processors.
	yieldEvery = 5 * time.Millisecond
	// deadlineStep is how late a deadline may be noticed.
	deadlineStep = time.Millisecond
	// resolveWithin bounds the resolving of a name, which each request's own
	// deadline does as well.
	resolveWithin = time.Minute
)

// loop serves many connections from one goroutine: it waits until something can
// be done on any of them, and does it. What it saves over a goroutine for each is
// the switching between them, and what the runtime keeps of every connection.
//
// It waits for the poller alone, whose timeout is exact to the kernel's timer; a
// name is resolved in a goroutine of its own.
type loop struct {
	dialer *dialer
	flags  laneFlags
	source source
	poll   int // descriptor of the poller
	bell   int // eventfd that ends a wait

	lanes    []*lane
	again    []*lane    // have ended requests at once, time and again: the last one is not taken in yet
	earliest clock.Time // no lane's deadline is before it
	now      clock.Time // as last read
	looked   clock.Time // what came before is among the events
	yield    clock.Time // when other goroutines are let in next
	events   [loopEvents]unix.EpollEvent
	timeout  timespec
	seen     int // events since a deadline has passed

	ctx    context.Context // what is in flight when it ends counts nowhere
	cancel context.CancelFunc
	halted atomic.Bool
	mu     sync.Mutex
	closed bool // so is the bell

	// Resolving of the host's name.
	naming   bool
	nameless []*lane    // wait for it
	named    chan error // the resolver's answer
	wg       sync.WaitGroup
}

// running counts the loops of this process.
var running atomic.Int32

// source gives a loop's lanes their requests and takes in what became of them.
type source interface {
	// tend begins what is due, at most so many requests, and returns when it is to
	// be called again.
	tend(now clock.Time, most int) clock.Time
	// ended takes in the request that has ended on n, and tells whether it has
	// begun another one there.
	ended(n *lane) bool
	// halt lets no more requests become due.
	halt()
	// over tells whether nothing is in flight and nothing will be.
	over() bool
}

// timespec is what epoll_pwait2 takes, on machines of 32 bits too.
type timespec struct{ sec, nsec int64 }

// bellEvent marks the bell among the events, whose others hold a lane's index.
const bellEvent = -1

// newLoop makes a loop without a source. It fails where the kernel has no poller
// with an exact timeout (before Linux 5.11), or no descriptor is left.
func newLoop(ctx context.Context, d *dialer, flags laneFlags) (*loop, error) {
	l := &loop{dialer: d, flags: flags, earliest: endOfTime, named: make(chan error, 1), poll: -1, bell: -1}
	l.ctx, l.cancel = context.WithCancel(ctx)
	var err error
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		l.close()
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		l.close()
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, l.bell, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: bellEvent}); err != nil {
		l.close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	if _, errno := l.look(); errno != 0 {
		l.close()
		return nil, os.NewSyscallError("epoll_pwait2", errno)
	}
	return l, nil
}

// run plays the source to its end, or until the context ends.
func (l *loop) run() {
	running.Add(1)
	defer running.Add(-1)
	defer l.close()
	defer context.AfterFunc(l.ctx, l.ring)()
	for procs := int32(runtime.GOMAXPROCS(0)); l.turn(); {
		if l.now >= l.yield && running.Load() >= procs {
			runtime.Gosched()
			l.yield = clock.Now().Add(yieldEvery)
		}
	}
}

// turn begins what is due and goes on with what can. false: the end.
func (l *loop) turn() bool {
	if l.ctx.Err() != nil {
		return false
	}
	l.now = clock.Now()
	wake := l.source.tend(l.now, batch)
	if l.source.over() {
		return false
	}
	if len(l.again) > 0 {
		wake = 0
	}
	n := l.wait(min(wake, l.earliest))
	l.now = clock.Now()
	for _, e := range l.events[:n] {
		if e.Fd == bellEvent {
			l.answerBell()
		} else {
			l.lanes[e.Fd].ready()
		}
		if l.now >= wake && wake > 0 {
			wake = l.source.tend(l.now, few)
		}
	}
	l.goOn()
	// What has come before its deadline is seen before it strikes. The poller
	// tells of one after the other, and need never run out of them.
	if l.looked < l.earliest {
		l.seen = 0
	} else if l.seen += n; n < loopEvents || l.seen > len(l.lanes) {
		l.seen = 0
		l.expire()
	}
	return true
}

// advance plays n until it must wait, or has had its turn.
func (l *loop) advance(n *lane) {
	if n.play() && l.source.ended(n) && n.play() {
		l.again = append(l.again, n)
	}
}

// goOn gives those another turn that have had theirs.
func (l *loop) goOn() {
	again := l.again
	l.again = nil
	for _, n := range again {
		l.now = clock.Now()
		if l.source.ended(n) {
			l.advance(n)
		}
	}
	if l.again == nil {
		l.again = again[:0]
	}
}

// expire ends what has not been done in time.
func (l *loop) expire() {
	now := l.looked
	l.earliest = endOfTime
	for _, n := range l.lanes {
		if n.busy && n.until <= now {
			n.expire()
			l.advance(n)
		}
		if n.busy {
			l.earliest = min(l.earliest, n.until)
		}
	}
	// Looking at every lane is not worth more.
	l.earliest = max(l.earliest, now.Add(deadlineStep))
}

// wait waits for events until a moment and returns how many there are.
func (l *loop) wait(until clock.Time) int {
	l.looked = clock.Now()
	// A busy loop finds some, and the scheduler need not know of it.
	if n, _ := l.look(); n > 0 {
		return n
	}
	for {
		l.looked = clock.Now()
		timeout := &l.timeout
		switch left := until.Sub(l.looked); {
		case until == endOfTime:
			timeout = nil
		case left <= 0:
			return 0
		default:
			l.timeout = timespec{int64(left / time.Second), int64(left % time.Second)}
		}
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(l.poll), uintptr(unsafe.Pointer(&l.events)), loopEvents, uintptr(unsafe.Pointer(timeout)), 0, 0)
		if errno != unix.EINTR {
			return int(n)
		}
	}
}

// look returns what there is without waiting.
func (l *loop) look() (int, syscall.Errno) {
	l.timeout = timespec{}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(l.poll), uintptr(unsafe.Pointer(&l.events)), loopEvents, uintptr(unsafe.Pointer(&l.timeout)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// halt lets no more requests become due. It may be called at any time from any
// goroutine.
func (l *loop) halt() {
	l.halted.Store(true)
	l.ring()
}

func (l *loop) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	// It fails only when it has been rung very often and not been heard.
	_, _ = unix.Write(l.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// answerBell does what the bell was rung for.
func (l *loop) answerBell() {
	var count [8]byte
	_, _ = unix.Read(l.bell, count[:])
	if l.halted.Load() {
		l.source.halt()
	}
	select {
	case err := <-l.named:
		l.wg.Wait()
		l.naming = false
		waiting := l.nameless
		l.nameless = nil
		if l.ctx.Err() != nil {
			return // the run was given up, and so was the resolving
		}
		for _, n := range waiting {
			if n.named(err) {
				l.advance(n)
			}
		}
	default:
	}
}

// close ends all connections.
func (l *loop) close() {
	l.cancel()
	l.wg.Wait()
	for _, n := range l.lanes {
		n.drop()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, fd := range []int{l.poll, l.bell} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// resolve asks for the host's addresses in n's name; n is told.
func (l *loop) resolve(n *lane) {
	l.nameless = append(l.nameless, n)
	if l.naming {
		return
	}
	l.naming = true
	l.wg.Go(func() {
		_, err := l.dialer.resolve(l.ctx, clock.Now().Add(resolveWithin))
		l.named <- err
		l.ring()
	})
}

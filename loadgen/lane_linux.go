package loadgen

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/loadgen/http1"
)

// lane is a connection of a loop and the request that is on it.
type lane struct {
	loop  *loop
	index int
	o     outcome
	reply reply

	// The request.
	busy     bool // it has begun and not ended
	q        *request
	deadline clock.Time
	until    clock.Time // of the step: connecting to one of several addresses ends before
	step     step
	reused   bool  // the connection was there before
	sent     int   // bytes of it that were sent on this connection
	before   int64 // bytes that had been received on it
	writeErr error // after which an answer may still come

	// The connection.
	fd      int    // −1: none
	watched uint32 // what the poller watches it for
	joining bool   // it is not known to be there yet
	addr    netip.AddrPort
	turn    int  // reads since the loop came by
	drained bool // nothing more had come when it was last read

	// Connecting.
	addrs    []netip.AddrPort
	first    int // index of the one to begin with
	tried    int // of them, without success
	firstErr error
	nameless bool // the loop resolves the name
}

type laneFlags struct {
	keepalive bool
	observed  bool // note when each step of a request was done
}

type step uint8

const (
	stepConnect step = iota
	stepSend
	stepReceive
)

// errStale says that a kept connection had ended, or spoken unasked, before the
// request was sent on it.
var errStale = errors.New("the kept connection had ended")

// maxReads bounds what one lane may read while others wait.
const maxReads = 16

// newLane adds a lane without a connection.
func (l *loop) newLane() *lane {
	n := &lane{loop: l, index: len(l.lanes), fd: -1, reply: newReply(l.flags.observed)}
	l.lanes = append(l.lanes, n)
	return n
}

// begin begins q; its times are in n.o. It is played by [loop.advance].
func (n *lane) begin(q *request, deadline clock.Time) {
	n.o.begin(q)
	n.busy, n.q, n.deadline = true, q, deadline
	if n.reused = n.fd >= 0; n.reused {
		n.ask()
	} else {
		n.dial()
	}
}

// dial makes the next step a new connection.
func (n *lane) dial() {
	n.step, n.reused = stepConnect, false
	n.addrs, n.tried, n.firstErr = nil, 0, nil
	n.expect(n.deadline)
}

// ask makes the next step the sending of the request.
func (n *lane) ask() {
	n.step, n.sent, n.writeErr = stepSend, 0, nil
	n.turn, n.drained = 0, false
	n.before = n.reply.reader.Received()
	n.reply.expect(n.q, &n.o)
	n.expect(n.deadline)
}

func (n *lane) expect(until clock.Time) {
	n.until = until
	n.loop.earliest = min(n.loop.earliest, until)
}

// ready goes on after the poller has seen something.
func (n *lane) ready() {
	n.turn, n.drained = 0, false
	switch {
	case n.busy:
		n.loop.advance(n)
	case n.fd >= 0 && n.spoken():
		n.drop() // an idle connection that ended, or spoke unasked
	}
}

// play goes on with the request. true: it has ended.
func (n *lane) play() bool {
	for n.busy {
		var err error
		switch n.step {
		case stepConnect:
			err = n.connect()
		case stepSend:
			err = n.send()
		case stepReceive:
			err = n.receive()
		}
		if err == http1.ErrWait {
			return false
		}
		if err != nil {
			n.fail(err)
		}
	}
	return true
}

// connect begins a connection to the next address.
func (n *lane) connect() error {
	if n.addrs == nil {
		if n.nameless {
			return http1.ErrWait
		}
		if n.addrs = n.loop.dialer.known(); n.addrs == nil {
			n.nameless = true
			n.loop.resolve(n)
			return http1.ErrWait
		}
		n.first = int(n.loop.dialer.lucky.Load()) % len(n.addrs)
	}
	n.addr = n.addrs[(n.first+n.tried)%len(n.addrs)]
	if others := len(n.addrs) - n.tried; others > 1 {
		now := clock.Now()
		n.expect(now.Add(n.deadline.Sub(now) / time.Duration(others)))
	}
	fd, _, err := openSocket(n.loop.dialer, n.addr)
	if err != nil {
		return n.unreached(err)
	}
	n.fd, n.watched, n.joining = fd, 0, true
	n.reply.reader.Reset(n)
	until := n.until
	n.ask()
	n.until = until
	return nil
}

// named takes in that the name was resolved, or was not, and tells whether the
// request still waited for it.
func (n *lane) named(err error) bool {
	n.nameless = false
	if !n.busy || n.step != stepConnect || n.addrs != nil {
		return false
	}
	if err != nil {
		n.fail(err)
	}
	return true
}

// unreached notes why an address was not reached, and returns it when none is
// left.
func (n *lane) unreached(err error) error {
	n.drop()
	if n.firstErr == nil {
		n.firstErr = &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(n.addr), Err: err}
	}
	if n.tried++; n.tried == len(n.addrs) {
		return n.firstErr
	}
	n.step = stepConnect
	n.expect(n.deadline)
	return nil
}

// send sends what is left of the request.
func (n *lane) send() error {
	if n.reused && n.sent == 0 && n.spoken() {
		return errStale
	}
	var before clock.Time
	if n.joining && n.loop.flags.observed {
		before = clock.Now()
	}
	for n.sent < len(n.q.raw) {
		sent, errno := transfer(unix.SYS_WRITE, uintptr(n.fd), n.q.raw[n.sent:])
		n.sent += sent
		switch {
		case errno == unix.EAGAIN:
			return n.await(unix.EPOLLOUT)
		case errno != 0 && n.joining && errno != unix.EPIPE && errno != unix.ECONNRESET:
			return n.unreached(os.NewSyscallError("connect", errno))
		case errno != 0:
			err := n.failure("write", os.NewSyscallError("write", errno))
			if !lost(err) {
				return err
			}
			// A server may answer and close before it has read the whole request.
			n.joined(before)
			n.writeErr, n.step = err, stepReceive
			return nil
		}
		n.joined(before)
	}
	if n.loop.flags.observed {
		n.o.written = clock.Now()
	}
	n.step = stepReceive
	return n.await(unix.EPOLLIN | unix.EPOLLRDHUP)
}

// joined notes that the connection is there, and was at a moment before.
func (n *lane) joined(at clock.Time) {
	if n.joining {
		n.joining = false
		n.o.connected = at
		if len(n.addrs) > 1 {
			n.loop.dialer.lucky.Store(int32((n.first + n.tried) % len(n.addrs)))
			n.expect(n.deadline)
		}
	}
}

// receive reads the answer.
func (n *lane) receive() error {
	err := n.reply.read()
	if err == http1.ErrWait {
		return n.await(unix.EPOLLIN | unix.EPOLLRDHUP)
	}
	if err != nil {
		if n.writeErr != nil {
			err = n.writeErr
		}
		return err
	}
	n.count()
	n.o.kept = !n.reply.close && n.loop.flags.keepalive && n.reply.reader.Buffered() == 0 && n.writeErr == nil
	n.end(nil)
	if !n.o.kept {
		n.drop()
		n.loop.now = clock.Now() // closing is no part of any request's time
	}
	return nil
}

// count adds what went over the connection for this request.
func (n *lane) count() {
	n.o.out += int64(n.sent)
	n.o.in += n.reply.reader.Received() - n.before
}

// fail ends the request with err, or begins it once more on a new connection.
func (n *lane) fail(err error) {
	answered := false
	if n.fd >= 0 && err != errStale {
		n.count()
		answered = n.reply.reader.Received() > n.before
	}
	reused := n.reused
	n.drop()
	switch {
	case err == errStale:
		n.dial()
	case reused && !answered && n.q.idempotent && lost(err):
		n.o.retried = true
		n.dial()
	default:
		n.end(err)
	}
}

// expire fails the step whose deadline has passed.
func (n *lane) expire() {
	timeout := os.ErrDeadlineExceeded
	switch {
	case n.step == stepConnect && n.nameless:
		n.fail(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no answer in time", Name: n.loop.dialer.host, IsTimeout: true}})
	case n.step == stepConnect:
		n.fail(&net.OpError{Op: "dial", Net: "tcp", Err: timeout})
	case n.joining:
		err := n.unreached(timeout)
		if n.loop.now >= n.deadline {
			err = n.firstErr // none of the others will be
		}
		if err != nil {
			n.fail(err)
		}
	case n.step == stepSend:
		n.fail(n.failure("write", timeout))
	default:
		// What has come of a head may be malformed, and not late.
		n.fail(n.reply.giveUp(n.failure("read", timeout)))
	}
}

func (n *lane) end(err error) {
	n.o.end(err)
	n.loop.now = n.o.done
	n.busy = false
}

// await lets the poller watch for events, and says that there is nothing to do
// until then.
func (n *lane) await(events uint32) error {
	if n.watched == events {
		return http1.ErrWait
	}
	op := uintptr(unix.EPOLL_CTL_MOD)
	if n.watched == 0 {
		op = unix.EPOLL_CTL_ADD
	}
	n.watched = events
	e := unix.EpollEvent{Events: events, Fd: int32(n.index)}
	if _, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(n.loop.poll), op, uintptr(n.fd), uintptr(unsafe.Pointer(&e)), 0, 0); errno != 0 {
		return n.failure("read", os.NewSyscallError("epoll_ctl", errno))
	}
	return http1.ErrWait
}

// spoken tells whether the peer has closed the connection, or sent something.
func (n *lane) spoken() bool {
	var b [1]byte
	_, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(n.fd), uintptr(unsafe.Pointer(&b[0])), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
	return errno != unix.EAGAIN && errno != unix.EINTR
}

// Read implements io.Reader for the parser. It does not wait.
func (n *lane) Read(b []byte) (int, error) {
	if n.drained || n.turn == maxReads {
		return 0, http1.ErrWait
	}
	n.turn++
	got, errno := transfer(unix.SYS_READ, uintptr(n.fd), b)
	switch {
	case errno == unix.EAGAIN:
		return 0, http1.ErrWait
	case errno != 0:
		return 0, n.failure("read", os.NewSyscallError("read", errno))
	case got == 0:
		return 0, io.EOF
	}
	n.drained = got < len(b)
	if n.loop.flags.observed && n.o.first == 0 {
		n.o.first = clock.Now()
	}
	return got, nil
}

// drop closes the connection, if there is one.
func (n *lane) drop() {
	if n.fd >= 0 {
		unix.RawSyscall(unix.SYS_CLOSE, uintptr(n.fd), 0, 0)
		n.fd, n.watched, n.joining = -1, 0, false
	}
}

func (n *lane) failure(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: localAddr(n.fd), Addr: net.TCPAddrFromAddrPort(n.addr), Err: err}
}

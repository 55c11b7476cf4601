//go:build unix

package cluster

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// maxAnswerHeader bounds the header of a worker's answer, in bytes.
const maxAnswerHeader = 1 << 20

// lines are the kept connections to one worker for requests without a body.
// [http.Transport] has two goroutines for each connection, between which every
// request and answer pass; here the one that asks does it all. In a comparison on
// two busy cores that is half of the proxy's processor time.
type lines struct {
	dial func(context.Context) (net.Conn, error)

	mu     sync.Mutex
	idle   []*line // the one that was used last comes last
	closed bool
}

// line is one of them.
type line struct {
	net.Conn
	raw   syscall.RawConn
	in    *bufio.Reader
	out   *bufio.Writer
	left  int64 // bytes that may still be read
	heard bool  // the worker has begun to answer
	since clock.Time
}

// Read bounds what bufio reads of a header.
func (l *line) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("the header of the answer is too large")
	}
	n, err := l.Conn.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	l.heard = l.heard || n > 0
	return n, err
}

// carries tells whether a request can go over lines: it has no body and does not
// want to become something else.
func carries(r *http.Request) bool {
	return (r.Body == nil || r.Body == http.NoBody) && r.Header.Get("Upgrade") == "" && r.Header.Get("Expect") == ""
}

// lostError says that a request was sent, and lost with a kept connection, before
// what it wraps kept it from being sent once more.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// RoundTrip implements [http.RoundTripper]. A kept connection that turns out to
// be closed is replaced by another one, if the request may be sent again.
func (l *lines) RoundTrip(r *http.Request) (*http.Response, error) {
	for again := false; ; again = true {
		c, kept, err := l.get(r.Context())
		if err != nil && again {
			err = lostError{err}
		}
		if err != nil {
			return nil, err
		}
		answer, err := l.exchange(c, r)
		if err == nil || !kept || c.heard || !idempotent(r.Method) || r.Context().Err() != nil {
			return answer, err
		}
	}
}

// get returns a connection that is open, as far as can be seen.
func (l *lines) get(ctx context.Context) (c *line, kept bool, err error) {
	for {
		l.mu.Lock()
		n := len(l.idle)
		if n == 0 {
			l.mu.Unlock()
			break
		}
		c = l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		saw := over
		if clock.Since(c.since) < keepIdleFor {
			_ = c.raw.Control(func(fd uintptr) { saw = look(int(fd)) }) // a closed one is over
		}
		if saw == silent {
			return c, true, nil
		}
		c.Close()
	}
	conn, err := l.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	c = &line{Conn: conn}
	if c.raw, err = conn.(syscall.Conn).SyscallConn(); err != nil {
		conn.Close()
		return nil, false, err
	}
	c.in, c.out = bufio.NewReader(c), bufio.NewWriter(conn)
	return c, false, nil
}

// put keeps a connection for the next request.
func (l *lines) put(c *line) {
	c.since = clock.Now()
	l.mu.Lock()
	if !l.closed && len(l.idle) < keepIdle && c.in.Buffered() == 0 {
		l.idle = append(l.idle, c)
		c = nil
	}
	l.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// closeIdle closes what nobody uses, and from then on what comes back.
func (l *lines) closeIdle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.idle {
		c.Close()
	}
	l.idle = nil
}

// exchange sends a request and reads the header of its answer.
func (l *lines) exchange(c *line, r *http.Request) (answer *http.Response, err error) {
	stop := context.AfterFunc(r.Context(), func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if err != nil {
			stop()
			c.Close()
		}
	}()
	c.left, c.heard = maxAnswerHeader, false
	if err := r.Write(c.out); err != nil {
		return nil, err
	}
	if err := c.out.Flush(); err != nil {
		return nil, err
	}
	for {
		if answer, err = http.ReadResponse(c.in, r); err != nil {
			return nil, err
		}
		if answer.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("the worker switches protocols unasked")
		}
		if answer.StatusCode >= 200 {
			break
		}
	}
	c.left = 1<<63 - 1
	body := &lineBody{ReadCloser: answer.Body, lines: l, line: c, stop: stop, close: answer.Close}
	if answer.Body == http.NoBody {
		body.end(true)
	} else {
		answer.Body = body
	}
	return answer, nil
}

// lineBody is the body of an answer; at its end the connection is free.
type lineBody struct {
	io.ReadCloser
	lines *lines
	line  *line
	stop  func() bool // false: the request has been given up
	close bool        // the worker closes after this answer
	ended bool
}

func (b *lineBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(err == io.EOF)
	}
	return n, err
}

// Close ends the connection too, unless all was read.
func (b *lineBody) Close() error {
	b.end(false)
	return nil
}

func (b *lineBody) end(whole bool) {
	if b.ended {
		return
	}
	b.ended = true
	if b.stop() && whole && !b.close {
		b.lines.put(b.line)
	} else {
		b.line.Close()
	}
}

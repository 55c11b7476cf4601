//go:build unix

package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// caller is an HTTP client that never asks twice: what is lost is lost.
type caller struct {
	address   string
	keepalive bool
	conn      net.Conn
	reader    *bufio.Reader
}

// get asks once and returns the pid that answered, and the status.
func (c *caller) get(ctx context.Context, path string) (pid, status int, err error) {
	if err := c.connect(ctx); err != nil {
		return 0, 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	closing := ""
	if !c.keepalive {
		closing = "Connection: close\r\n"
	}
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: test\r\n%s\r\n", path, closing); err != nil {
		c.hangUp()
		return 0, 0, err
	}
	r, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.hangUp()
		return 0, 0, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	r.Body.Close()
	if r.Close || !c.keepalive || err != nil {
		c.hangUp()
	}
	pid, _ = strconv.Atoi(r.Header.Get("X-Worker"))
	return pid, r.StatusCode, err
}

func (c *caller) connect(ctx context.Context) error {
	if c.conn != nil && !ended(c.conn) {
		return nil
	}
	c.hangUp()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	c.conn, c.reader = conn, bufio.NewReader(conn)
	return nil
}

// ended tells whether the server has closed an idle connection, as a client
// looks before it uses one again.
func ended(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	over := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		over = err != unix.EAGAIN
	})
	return over || err != nil
}

func (c *caller) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// load is clients that ask again and again until they are told to stop.
type load struct {
	good, lost atomic.Int64
	mu         sync.Mutex
	errs       []error
	pids       map[int]int
	wg         sync.WaitGroup
	stop       chan struct{}
}

func (f *fixture) load(clients int, keepalive bool) *load {
	l := &load{stop: make(chan struct{}), pids: map[int]int{}}
	for range clients {
		l.wg.Go(func() { l.ask(&caller{address: f.address, keepalive: keepalive}) })
	}
	return l
}

func (l *load) ask(c *caller) {
	defer c.hangUp()
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		pid, status, err := c.get(ctx, "/")
		cancel()
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		l.mu.Lock()
		l.pids[pid]++
		if err != nil {
			l.errs = append(l.errs, err)
		}
		l.mu.Unlock()
		if err != nil {
			l.lost.Add(1)
		} else {
			l.good.Add(1)
		}
	}
}

// after waits until n more requests were good.
func (l *load) after(n int64) bool {
	n += l.good.Load()
	return eventually(func() bool { return l.good.Load() >= n })
}

// lostNothing ends the load after n more good requests, and checks that none was
// lost.
func (l *load) lostNothing(t *testing.T, n int64) {
	t.Helper()
	if !l.after(n) {
		t.Error("no load")
	}
	l.end()
	if lost := l.lost.Load(); lost != 0 {
		t.Errorf("%d of %d requests were lost: %v", lost, lost+l.good.Load(), l.errs)
	}
}

func (l *load) end() {
	close(l.stop)
	l.wg.Wait()
}

// answer is what one of several requests got.
type answer struct {
	pid, status int
	err         error
}

// burst sends n requests at once, each on a connection of its own, and returns
// a channel of the n answers.
func (f *fixture) burst(ctx context.Context, n int) <-chan answer {
	answers := make(chan answer, n)
	for range n {
		go func() {
			c := &caller{address: f.address}
			pid, status, err := c.get(ctx, "/")
			answers <- answer{pid, status, err}
		}()
	}
	return answers
}

// refused tells whether nobody listens.
func (f *fixture) refused() bool {
	conn, err := net.Dial("tcp", f.address)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func timeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// dial opens a connection to the cluster.
func (f *fixture) dial() net.Conn {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	return conn
}

//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/targets/page"
	"golang.org/x/sys/unix"
)

const (
	// A refused client's request is read for at most lingerFor and lingerBytes, so
	// that the answer is not lost to a reset; at most maxLinger at once are.
	lingerFor   = time.Second
	lingerBytes = 256 << 10
	maxLinger   = 256
)

// why says for what reason a connection is refused.
type why int

const (
	tooMany why = iota // are in line
	tooLate            // it has been in line for too long
	stops              // the cluster stops, and rejects what comes
	tooManyConnections
	tooFast // more requests than the rate that is allowed
	reasons // at most page.MaxReasons
)

var whyNames = [reasons]string{"queue full", "queue timeout", "draining", "connections", "rate"}

// refusal answers connections for which there is no room.
type refusal struct {
	wg     sync.WaitGroup
	counts *[page.MaxReasons]atomic.Int64 // of all masters

	mu     sync.Mutex
	open   map[lingerer]struct{}
	closed bool
}

// lingerer is a connection that can be refused.
type lingerer interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
	CloseWrite() error
}

// refusedFile is a connection as a bare file.
type refusedFile struct{ *os.File }

// CloseWrite implements lingerer.
func (f refusedFile) CloseWrite() error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Control(func(fd uintptr) { serr = unix.Shutdown(int(fd), unix.SHUT_WR) })
	return errors.Join(err, serr)
}

// answer refuses a connection, which it owns from then on.
func (r *refusal) answer(c *client, w why) {
	f := c.file
	if f == nil {
		f = os.NewFile(uintptr(c.fd), "tcp")
	}
	r.answerConn(refusedFile{f}, w)
}

// answerConn is answer for any connection.
func (r *refusal) answerConn(c lingerer, w why) {
	r.counts[w].Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.open) >= maxLinger {
		c.Close()
		return
	}
	if r.open == nil {
		r.open = map[lingerer]struct{}{}
	}
	r.open[c] = struct{}{}
	r.wg.Go(func() {
		linger(c, unavailable(whyNames[w]))
		r.mu.Lock()
		delete(r.open, c)
		r.mu.Unlock()
	})
}

// hangUp refuses a connection without a word.
func (r *refusal) hangUp(c lingerer, w why) {
	r.counts[w].Add(1)
	c.Close()
}

// unavailable is the answer to who may come again.
func unavailable(reason string) string {
	return fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s\n", len(reason)+1, reason)
}

// linger answers and reads what the client still sends.
func linger(c lingerer, answer string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(lingerFor))
	if _, err := io.WriteString(c, answer); err != nil {
		return
	}
	_ = c.CloseWrite()
	// An end, an error or the deadline are all the same: nothing more is owed.
	_, _ = io.CopyN(io.Discard, c, lingerBytes)
}

func (r *refusal) close() {
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

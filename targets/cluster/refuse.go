//go:build unix

package cluster

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

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
	reasons
)

var whyNames = [reasons]string{"queue full", "queue timeout", "draining"}

// refusal answers connections for which there is no room.
type refusal struct {
	wg     sync.WaitGroup
	counts [reasons]atomic.Int64

	mu     sync.Mutex
	files  map[*os.File]struct{}
	closed bool
}

func newRefusal() *refusal { return &refusal{files: map[*os.File]struct{}{}} }

// answer refuses a connection, which it owns from then on.
func (r *refusal) answer(c *client, w why) {
	r.counts[w].Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.files) >= maxLinger {
		c.close()
		return
	}
	f := c.file
	if f == nil {
		f = os.NewFile(uintptr(c.fd), "tcp")
	}
	r.files[f] = struct{}{}
	r.wg.Go(func() {
		linger(f, unavailable(whyNames[w]))
		r.mu.Lock()
		delete(r.files, f)
		r.mu.Unlock()
	})
}

// unavailable is the answer to who may come again.
func unavailable(reason string) string {
	return fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s\n", len(reason)+1, reason)
}

// linger answers and reads what the client still sends.
func linger(f *os.File, answer string) {
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = f.SetDeadline(time.Now().Add(lingerFor))
	if _, err := io.WriteString(f, answer); err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
	// An end, an error or the deadline are all the same: nothing more is owed.
	_, _ = io.CopyN(io.Discard, f, lingerBytes)
}

func (r *refusal) close() {
	r.mu.Lock()
	r.closed = true
	for f := range r.files {
		f.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

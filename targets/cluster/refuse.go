//go:build unix

package cluster

import (
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	refused = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\n\r\ntoo many are in line"
	// A refused client's request is read for at most lingerFor and lingerBytes, so
	// that the answer is not lost to a reset; at most maxLinger at once are.
	lingerFor   = time.Second
	lingerBytes = 256 << 10
	maxLinger   = 256
)

// refusal answers connections for which there is no room.
type refusal struct {
	wg sync.WaitGroup

	mu     sync.Mutex
	files  map[*os.File]struct{}
	closed bool
}

func newRefusal() *refusal { return &refusal{files: map[*os.File]struct{}{}} }

// answer refuses a connection, which it owns from then on.
func (r *refusal) answer(c *client) {
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
		linger(f)
		r.mu.Lock()
		delete(r.files, f)
		r.mu.Unlock()
	})
}

func linger(f *os.File) {
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = f.SetDeadline(time.Now().Add(lingerFor))
	if _, err := io.WriteString(f, refused); err != nil {
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

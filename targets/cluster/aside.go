//go:build unix

package cluster

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// headerTimeout is how long a client may stay silent.
	headerTimeout = 10 * time.Second
	// maxSilent bounds how many may be silent at once.
	maxSilent = 8192
)

// sight is what a look at a connection shows.
type sight int

const (
	readable sight = iota
	silent
	over
)

// look tells whether there is something to read, without reading it.
func look(fd int) sight {
	var b [1]byte
	for {
		n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return silent
		case err != nil || n == 0:
			return over
		default:
			return readable
		}
	}
}

// aside is where connections wait that have said nothing yet. They block
// nobody, and are closed after headerTimeout.
type aside struct {
	speak   func(*client) // takes one that has something to read
	timeout time.Duration // how long it may stay silent
	held    *atomic.Int64 // how many there are
	wg      sync.WaitGroup

	mu     sync.Mutex
	files  map[*os.File]struct{}
	closed bool
}

func newAside(held *atomic.Int64, speak func(*client)) *aside {
	return &aside{speak: speak, timeout: headerTimeout, held: held, files: map[*os.File]struct{}{}}
}

// add owns fd.
func (a *aside) add(fd int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || len(a.files) >= maxSilent {
		unix.Close(fd)
		return
	}
	f := os.NewFile(uintptr(fd), "tcp")
	a.files[f] = struct{}{}
	a.held.Add(1)
	a.wg.Go(func() { a.wait(f, fd) })
}

func (a *aside) wait(f *os.File, fd int) {
	saw := silent
	if raw, err := f.SyscallConn(); err == nil {
		_ = f.SetReadDeadline(time.Now().Add(a.timeout))
		_ = raw.Read(func(uintptr) bool { // an error leaves it silent
			saw = look(fd)
			return saw != silent
		})
	}
	a.mu.Lock()
	_, ours := a.files[f] // else fd may be another connection's by now
	if ours {
		delete(a.files, f)
		a.held.Add(-1)
	}
	a.mu.Unlock()
	if ours && saw == readable {
		a.speak(&client{fd: fd, file: f})
	} else {
		f.Close()
	}
}

// surrender gives them all away, and waits until none is looked after here.
func (a *aside) surrender(give func(fd int) error) {
	a.mu.Lock()
	a.end(func(f *os.File) {
		if raw, err := f.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = give(int(fd)) }) // if that fails, the client sees an end
		}
	})
	a.mu.Unlock()
	a.wg.Wait()
}

// close closes them all.
func (a *aside) close() {
	a.mu.Lock()
	a.end(func(*os.File) {})
	a.mu.Unlock()
	a.wg.Wait()
}

// end closes them all, each once something was done with it. a.mu is held.
func (a *aside) end(do func(*os.File)) {
	a.closed = true
	for f := range a.files {
		do(f)
		f.Close()
		a.held.Add(-1)
	}
	clear(a.files)
}

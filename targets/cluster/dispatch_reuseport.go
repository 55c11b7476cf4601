//go:build unix

package cluster

import (
	"context"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reuseport gives each slot a listener of its own on the one address; the kernel
// spreads new connections over them. The master keeps them all open: closing one
// resets the connections in its queue, which a worker's successor takes instead.
type reuseport struct {
	address string

	mu     sync.Mutex
	files  map[int]*os.File // by slot
	closed bool
}

// newReuseport owns the estate's listeners. The one of a new cluster only shows
// that the address is free: a listener that shares its port would share it with
// a stranger's too.
func newReuseport(e *estate, slots int) (*reuseport, error) {
	r := &reuseport{address: e.address, files: map[int]*os.File{}}
	if e.inherited {
		r.files = e.listeners
		return r, nil
	}
	if err := e.ln.Close(); err != nil {
		return nil, err
	}
	for slot := 1; slot <= slots; slot++ {
		if _, err := r.inherit(slot); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// inherit returns the slot's listener, which it opens if there is none.
func (r *reuseport) inherit(slot int) ([]*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errStopping
	}
	if r.files[slot] == nil {
		ln, err := listenShared(r.address)
		if err != nil {
			return nil, err
		}
		if r.files[slot], err = inheritable(ln); err != nil {
			return nil, err
		}
	}
	return []*os.File{r.files[slot]}, nil
}

func (r *reuseport) bequeath() (slots []int, listeners []syscall.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slots = slices.Sorted(maps.Keys(r.files))
	for _, slot := range slots {
		listeners = append(listeners, r.files[slot])
	}
	return slots, listeners
}

// vacate closes the listener of a slot that will have no worker, so that no
// client waits there in vain.
func (r *reuseport) vacate(slot int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.files[slot]; f != nil {
		f.Close()
		delete(r.files, slot)
	}
}

func (r *reuseport) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, f := range r.files {
		f.Close()
	}
	clear(r.files)
}

func (*reuseport) open()                   {}
func (*reuseport) join(*member)            {}
func (*reuseport) leave(*member)           {}
func (*reuseport) gone(*member)            {}
func (*reuseport) said(*member, frame)     {}
func (*reuseport) queued() int             { return 0 }
func (r *reuseport) drain(context.Context) { r.close() }

// inheritable turns a listener, which it owns, into a file for children.
func inheritable(ln *net.TCPListener) (*os.File, error) {
	fd, err := detach(ln)
	if err != nil {
		return nil, err
	}
	// A file that is made while its descriptor blocks stays out of Go's poller
	// here, which would wake the master for each connection of its workers. And
	// starting a process does not switch it to blocking then, which would reach
	// all workers, since the mode belongs to what they share.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "listener")
	if err := unix.SetNonblock(fd, true); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

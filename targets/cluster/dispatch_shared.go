//go:build unix

package cluster

import (
	"context"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// shared lets all workers accept on one inherited listener. The kernel decides
// who gets a connection, among those workers that have a processor free.
type shared struct{ file *os.File }

// newShared owns ln.
func newShared(ln *net.TCPListener) (*shared, error) {
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
	return &shared{file}, nil
}

func (*shared) open()                   {}
func (s *shared) inherit() []*os.File   { return []*os.File{s.file} }
func (*shared) join(*member)            {}
func (*shared) leave(*member)           {}
func (*shared) gone(*member)            {}
func (*shared) said(*member, frame)     {}
func (*shared) queued() int             { return 0 }
func (s *shared) drain(context.Context) { s.file.Close() }
func (s *shared) close()                { s.file.Close() }

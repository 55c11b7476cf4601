//go:build unix

package cluster

import (
	"context"
	"net"
	"os"
	"syscall"
)

// shared lets all workers accept on one inherited listener. The kernel decides
// who gets a connection, among those workers that have a processor free.
type shared struct{ file *os.File }

// newShared owns ln.
func newShared(ln *net.TCPListener, inherited bool) (*shared, error) {
	if inherited {
		// Its mode cannot be changed for a moment: workers accept on it.
		defer ln.Close()
		file, err := duplicate(ln)
		if err != nil {
			return nil, err
		}
		return &shared{file}, nil
	}
	file, err := inheritable(ln)
	if err != nil {
		return nil, err
	}
	return &shared{file}, nil
}

func (*shared) open() {}

func (s *shared) inherit(int) ([]*os.File, error) { return []*os.File{s.file}, nil }

func (s *shared) bequeath() ([]int, []syscall.Conn) { return nil, []syscall.Conn{s.file} }

func (*shared) join(*member)            {}
func (*shared) leave(*member)           {}
func (*shared) gone(*member)            {}
func (*shared) said(*member, frame)     {}
func (*shared) queued() int             { return 0 }
func (*shared) desert(int)              {}
func (*shared) vacate(int)              {}
func (*shared) spare(int)               {}
func (s *shared) drain(context.Context) { s.file.Close() }
func (s *shared) close()                { s.file.Close() }

//go:build unix

package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxLine is where a line that a worker prints is broken, in bytes.
	maxLine = 16 << 10
	// outputGrace is how long a worker's output is read after its end: what it
	// started may hold it open. As long may what was read take to be written.
	outputGrace = time.Second
	// printRoom is how many lines of workers wait to be written.
	printRoom = 256
)

// output is what a worker prints. It goes through a named pipe that the worker
// has open for reading as well: so printing kills no worker whose master has
// died, and the next master can open it again.
type output struct {
	path string
	file *os.File
}

func outputFile(dir string, slot, life any) string {
	return filepath.Join(dir, fmt.Sprintf("out-%v-%v", slot, life))
}

// newOutput makes the pipe and returns the worker's end too.
func newOutput(path string) (o *output, stdout *os.File, err error) {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return nil, nil, fmt.Errorf("make a pipe for what it prints: %w", err)
		}
		_ = os.Remove(path) // left by a master that died
		if err := unix.Mkfifo(path, 0o600); err != nil {
			return nil, nil, fmt.Errorf("make a pipe for what it prints: %w", err)
		}
	}
	if o, err = openOutput(path); err != nil {
		return nil, nil, err
	}
	if stdout, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		o.close()
		return nil, nil, err
	}
	return o, stdout, nil
}

func openOutput(path string) (*output, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read what a worker prints: %w", err)
	}
	return &output{path, f}, nil
}

func (o *output) close() {
	o.file.Close()
	_ = os.Remove(o.path) // what cannot be removed does no harm
}

// printer writes what workers print. It does so in the background: a terminal that
// is held, or a pipe that nobody reads, holds up workers that print more than their
// pipe has room for, but never the end of a master.
type printer struct {
	to     io.Writer
	lines  chan []byte
	done   chan struct{} // closed when all is written after close
	enough chan struct{} // closed when nobody waits for room any more
	lost   atomic.Int64  // lines for which there was none
}

func newPrinter(to io.Writer) *printer {
	p := &printer{to: to, lines: make(chan []byte, printRoom), done: make(chan struct{}), enough: make(chan struct{})}
	go func() {
		defer close(p.done)
		for line := range p.lines {
			// In one piece, since the master's own log may go to the same file. What
			// cannot be written has nowhere to be told.
			_, _ = p.to.Write(line)
		}
	}()
	return p
}

// pass waits for room as long as the master goes on.
func (p *printer) pass(line []byte) {
	select {
	case p.lines <- line:
		return
	default:
	}
	select {
	case p.lines <- line:
	case <-p.enough:
		p.lost.Add(1)
	}
}

// end lets pass wait no longer than a moment from now on.
func (p *printer) end() *time.Timer {
	return time.AfterFunc(outputGrace, func() { close(p.enough) })
}

// close waits for a moment until all is written, and returns how many lines are
// lost. Nothing may be passed after it.
func (p *printer) close() (lost int) {
	close(p.lines)
	select {
	case <-p.done:
		return int(p.lost.Load())
	case <-time.After(outputGrace):
		return int(p.lost.Load()) + len(p.lines)
	}
}

// relay passes on what a worker prints, line by line, with the time.
func (m *master) relay(o *output, w *worker) {
	stop := make(chan struct{})
	defer close(stop)
	m.wg.Go(func() {
		select {
		case <-w.Done():
			_ = o.file.SetReadDeadline(time.Now().Add(outputGrace))
		case <-m.done:
			select {
			case <-w.Done(): // what it has said by now can be read at once
				_ = o.file.SetReadDeadline(time.Now().Add(outputGrace))
			default: // the next master reads on
				_ = o.file.SetReadDeadline(time.Unix(1, 0))
			}
		case <-stop:
		}
	})
	lines := bufio.NewReaderSize(o.file, maxLine)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			if err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
				m.Log.Debug("read what a worker prints", "error", err)
			}
			break
		}
		m.printed.pass(fmt.Appendf(nil, "%s worker %d (pid %d): %s\n", time.Now().Format("2006-01-02T15:04:05.000Z07:00"), w.slot.number, w.PID(), line))
	}
	o.file.Close()
	select {
	case <-w.Done():
	case <-m.done:
	}
	select {
	case <-w.Done():
		_ = os.Remove(o.path) // what cannot be removed does no harm
	default: // the next master opens it again
	}
}

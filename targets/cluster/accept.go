//go:build unix

package cluster

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// accept takes connections until the listener's deadline strikes, and then
// those that are complete already. It owns ln.
func (h *handoff) accept(ln *os.File) {
	defer ln.Close()
	raw, err := ln.SyscallConn()
	if err != nil {
		h.log.Error("accept", "error", err)
		return
	}
	for {
		var aerr error
		err := raw.Read(func(fd uintptr) bool {
			aerr = h.acceptAll(int(fd))
			return aerr != nil
		})
		if err != nil {
			// Connections that are complete would be reset by closing the listener.
			_ = raw.Control(func(fd uintptr) { _ = h.acceptAll(int(fd)) })
			return
		}
		if !transient(aerr) {
			h.log.Error("accept", "error", aerr)
			return
		}
		h.log.Warn("accept: waiting for resources", "error", aerr)
		select {
		case <-time.After(10 * time.Millisecond):
		case <-h.stop:
		}
	}
}

// acceptAll accepts until there is no more, when it returns nil, or an error
// other than of a single connection.
func (h *handoff) acceptAll(ln int) error {
	for {
		fd, err := accept(ln)
		switch err {
		case nil:
			h.arrive(fd)
		case unix.ECONNABORTED, unix.EPROTO:
		case unix.EAGAIN:
			return nil
		default:
			return err
		}
	}
}

// arrive takes in a new connection: those with something to read wait in line,
// the others aside.
func (h *handoff) arrive(fd int) {
	switch look(fd) {
	case readable:
		h.add(&client{fd: fd})
	case silent:
		h.silent.add(fd)
	default:
		unix.Close(fd)
	}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// logRoom is how many lines of a log wait to be written.
	logRoom = 4096
	// logGrace is how long a process that ends waits for its log to be written.
	logGrace = time.Second
)

// patientLog writes a log in the background. Whoever serves must not wait for it: a
// disk may stall, a pipe may be full and a terminal may be held (Ctrl-S) for any
// time. What comes when too much waits is lost, which is told once it goes on.
type patientLog struct {
	to    io.Writer
	lines chan []byte
	done  chan struct{} // closed when all is written after close

	mu     sync.Mutex
	lost   int
	closed bool
}

// newLog returns a log that nobody who writes to it waits for, and what ends it: it
// waits until what was logged is written, for a second at most.
func newLog(to io.Writer, options *slog.HandlerOptions) (*slog.Logger, func()) {
	l := &patientLog{to: to, lines: make(chan []byte, logRoom), done: make(chan struct{})}
	go l.pass()
	return slog.New(slog.NewTextHandler(l, options)), l.close
}

// Write implements [io.Writer]. It never fails.
func (l *patientLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return len(line), nil // of a process that is about to end
	}
	select {
	case l.lines <- bytes.Clone(line):
	default:
		l.lost++
	}
	return len(line), nil
}

// pass writes lines one by one. What cannot be written has nowhere to be told.
func (l *patientLog) pass() {
	defer close(l.done)
	for line := range l.lines {
		_, _ = l.to.Write(line)
		l.mu.Lock()
		lost := l.lost
		l.lost = 0
		l.mu.Unlock()
		if lost > 0 {
			slog.New(slog.NewTextHandler(l.to, nil)).Warn(fmt.Sprintf("%d lines of the log are lost: it could not be written for some time", lost))
		}
	}
}

func (l *patientLog) close() {
	l.mu.Lock()
	l.closed = true
	close(l.lines)
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-time.After(logGrace):
	}
}

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
	// patientRoom is how many lines wait to be written.
	patientRoom = 4096
	// patientGrace is how long it is waited at the end until they are written.
	patientGrace = time.Second
)

// patientWriter writes in the background. Whoever serves or measures must not wait
// for who reads: a disk may stall, a pipe may be full and a terminal may be held
// (Ctrl-S) for any time. What comes when too much waits is lost, which is told once
// it goes on.
type patientWriter struct {
	to    io.Writer
	tell  func(lost int) // writes to to
	lines chan []byte
	done  chan struct{} // closed when nothing is written any more

	mu     sync.Mutex
	lost   int
	closed bool
	late   bool // nobody waits for the rest
}

func newPatientWriter(to io.Writer, tell func(lost int)) *patientWriter {
	p := &patientWriter{to: to, tell: tell, lines: make(chan []byte, patientRoom), done: make(chan struct{})}
	go p.pass()
	return p
}

// newLog returns a log that nobody who writes to it waits for, and what ends it: it
// waits until what was logged is written, for a second at most.
func newLog(to io.Writer, options *slog.HandlerOptions) (*slog.Logger, func()) {
	p := newPatientWriter(to, func(lost int) {
		slog.New(slog.NewTextHandler(to, nil)).Warn(fmt.Sprintf("%d lines of the log are lost: it could not be written for some time", lost))
	})
	return slog.New(slog.NewTextHandler(p, options)), p.close
}

// Write implements [io.Writer] for one line, or more that belong together. It never
// fails.
func (p *patientWriter) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return len(line), nil
	}
	select {
	case p.lines <- bytes.Clone(line):
	default:
		p.lost++
	}
	return len(line), nil
}

// pass writes lines one by one. What cannot be written has nowhere to be told.
func (p *patientWriter) pass() {
	defer close(p.done)
	for line := range p.lines {
		p.mu.Lock()
		late, lost := p.late, p.lost
		p.lost = 0
		p.mu.Unlock()
		if late {
			return
		}
		_, _ = p.to.Write(line)
		if lost > 0 {
			p.tell(lost)
		}
	}
}

func (p *patientWriter) close() {
	p.mu.Lock()
	p.closed = true
	close(p.lines)
	p.mu.Unlock()
	select {
	case <-p.done:
	case <-time.After(patientGrace):
		p.mu.Lock()
		p.late = true
		p.mu.Unlock()
	}
}

package loadgen

import (
	"io"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// flushEvery is how long a record may wait to be written with others.
const flushEvery = 20 * time.Millisecond

// probeLog gathers records and writes them a few at a time, so that neither a
// probe waits for the reader nor the reader for long.
type probeLog struct {
	mu     sync.Mutex
	buf    []byte
	closed bool
	dirty  chan struct{} // something was appended, or the log closed
	told   map[exampleKey]bool
}

// exampleKey is what one example is told of: those of the warm-up apart,
// because they are not counted.
type exampleKey struct {
	kind    uint8
	cause   Cause
	counted bool
}

func newProbeLog() *probeLog {
	return &probeLog{dirty: make(chan struct{}, 1), told: map[exampleKey]bool{}}
}

func (l *probeLog) append(record func([]byte) []byte) {
	l.mu.Lock()
	l.buf = record(l.buf)
	l.mu.Unlock()
	l.signal()
}

func (l *probeLog) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.signal()
}

func (l *probeLog) signal() {
	select {
	case l.dirty <- struct{}{}:
	default:
	}
}

// write writes records to out until the log is closed and all are written.
// After an error it throws them away: without a reader nobody needs them.
func (l *probeLog) write(out io.Writer) error {
	var spare []byte
	var failed error
	for {
		<-l.dirty
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		if !closed {
			time.Sleep(flushEvery)
		}
		l.mu.Lock()
		batch := l.buf
		l.buf, closed = spare[:0], l.closed
		l.mu.Unlock()
		if len(batch) > 0 && failed == nil {
			_, failed = out.Write(batch)
		}
		spare = batch
		if closed {
			return failed
		}
	}
}

// example returns the failure in words if it is the first of its kind.
func (l *probeLog) example(o *outcome, kind uint8, epoch clock.Time) string {
	key := exampleKey{kind, o.cause, o.start >= epoch}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told[key] {
		return ""
	}
	l.told[key] = true
	return o.explain()
}

//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// patientBody bounds how long a client may send nothing of its body.
type patientBody struct {
	io.ReadCloser
	length  int64 // -1: it is not known
	control *http.ResponseController
	idle    time.Duration
	screen  *screen     // nil: it came by HTTP/2, and ends with its stream
	ended   atomic.Bool // it was read to its end
	bad     atomic.Bool // it has none

	mu        sync.Mutex
	abandoned bool // nobody wants it
	answered  bool // the control must not be used any more
}

// bodyKey is where a request's context has a body that may be too long to keep.
type bodyKey struct{}

var (
	errSlowClient = errors.New("the client does not send its request")
	errBadBody    = errors.New("the client's body is malformed or breaks off")
)

func (b *patientBody) Read(p []byte) (int, error) {
	b.allow(time.Now().Add(b.idle))
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil || tooLarge(err):
	case err == io.EOF:
		b.ended.Store(true)
		b.allow(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSlowClient
	default:
		b.bad.Store(true)
		err = fmt.Errorf("%w: %w", errBadBody, err)
	}
	return n, err
}

// allow lets the client send until the time given, unless it was answered: the
// answer of a worker may come while the request's body is still passed on.
func (b *patientBody) allow(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.abandoned {
		until = time.Unix(1, 0)
	}
	if !b.answered {
		_ = b.control.SetReadDeadline(until)
	}
}

// abandon lets reading fail instead of waiting for the client, or wait again.
func (b *patientBody) abandon(abandoned bool) {
	b.mu.Lock()
	b.abandoned = abandoned
	b.mu.Unlock()
	b.allow(time.Now().Add(b.idle))
}

// over lets a client that was answered send the rest of its body, which nobody
// reads, for lingerFor: if its connection was closed at once, the answer would be
// lost to a reset.
func (b *patientBody) over() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.answered && b.screen != nil && !b.ended.Load() {
		b.screen.linger(lingerFor)
	}
	b.answered = true
}

// cutOff tells whether an answer that is about to begin comes before the end of a
// body that is not worth waiting for. Otherwise the server reads it to its end
// first, for no longer than lingerFor, and keeps the connection.
func (b *patientBody) cutOff() bool {
	switch {
	case b == nil || b.screen == nil || b.ended.Load():
		return false
	case b.length < 0 || b.length > replayable:
		return true
	}
	b.allow(time.Now().Add(lingerFor))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered = true
	return false
}

// patientWriter bounds how long a client may take nothing of its answer, and
// says in it whether it is the last one on its connection. It does so when the
// answer begins: until then others may empty its header.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	idle    time.Duration
	body    *patientBody // nil: the request has none
	last    bool         // what follows is not looked at: see screen
	ends    *atomic.Bool // it is the last one from when this is set
	began   bool
}

func (w *patientWriter) Write(p []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	_ = w.control.SetWriteDeadline(time.Now().Add(w.idle))
	return w.ResponseWriter.Write(p)
}

// WriteHeader keeps a worker's interim answers (1xx) from the client: they come
// while the server may itself be telling it to send its body.
func (w *patientWriter) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	if status >= 200 && (w.last || w.ends.Load() || w.body.cutOff()) {
		w.Header().Set("Connection", "close")
	}
	w.began = true
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a response controller reach what is wrapped.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

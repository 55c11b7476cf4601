//go:build unix

package cluster

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// patientBody bounds how long a client may send nothing of its body.
type patientBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
}

var errSlowClient = errors.New("the client does not send its request")

func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.idle))
	n, err := b.body.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSlowClient
	}
	return n, err
}

func (b *patientBody) Close() error { return b.body.Close() }

// patientWriter bounds how long a client may take nothing of its answer, and
// says in it whether it is the last one on its connection. It does so when the
// answer begins: until then others may empty its header.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	idle    time.Duration
	last    bool         // what follows is not looked at: see screen
	passes  *atomic.Bool // it is the last one from when this is set
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
	if status >= 200 && (w.last || w.passes.Load()) {
		w.Header().Set("Connection", "close")
	}
	w.began = true
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a response controller reach what is wrapped.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

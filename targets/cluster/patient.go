//go:build unix

package cluster

import (
	"errors"
	"io"
	"net/http"
	"os"
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

// patientWriter bounds how long a client may take nothing of its answer.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	idle    time.Duration
}

func (w *patientWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.idle))
	return w.ResponseWriter.Write(p)
}

// WriteHeader keeps a worker's interim answers (1xx) from the client: they come
// while the server may itself be telling it to send its body.
func (w *patientWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Unwrap lets a response controller reach what is wrapped.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

//go:build unix

package cluster

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
)

// replayable is how large a body may be, in bytes, to be kept: a request's so
// that it can be sent again, an answer's so that one that breaks off can be
// asked for again.
const replayable = 64 << 10

var (
	errSlow = errors.New("the worker does not answer")
	errGone = errors.New("the worker has ended the connection")
)

// retrier sends a request to a worker, and to another one if that fails and
// may be tried again: what is idempotent (RFC 9110 §9.2.2), and what never
// reached a worker.
type retrier struct {
	pool   *pool
	config Config
}

// RoundTrip implements [http.RoundTripper].
func (t *retrier) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := keepBody(r)
	if err != nil {
		return nil, err
	}
	var tried []*upstream
	var failed *upstream // the last of them, if it did
	var last error
	var poor *http.Response // better than nothing
	sess := sessionOf(r)
	for n := 1; ; {
		u, err := t.pool.pick(r.Header.Get("X-Real-IP"), sess.slot(), tried, failed)
		if err != nil {
			if poor == nil && last != nil {
				err = last
			}
			if poor != nil {
				err = nil
			}
			return poor, err
		}
		if poor != nil {
			_ = poor.Body.Close()
			poor = nil
		}
		sess.answeredBy(u.member.slot)
		a := &attempt{retrier: t, upstream: u, body: body}
		a.client, _ = r.Context().Value(bodyKey{}).(*patientBody)
		response, err := a.send(r)
		if r.Context().Err() != nil || err == nil && !t.bad(response.StatusCode) {
			return response, err
		}
		if errors.Is(err, errSlowClient) || errors.Is(err, errBadBody) || tooLarge(err) {
			return nil, err // it is no worker's fault
		}
		unsent := err != nil && cause(err) == "connect" && !body.touched.Load()
		if unsent && t.pool.left(u) {
			// It went while the request was on its way: no failure, no attempt, unless
			// the request went with it.
			if failed = nil; errors.As(err, new(lostError)) {
				failed = u
			}
			tried, last = append(tried, u), err
			continue
		}
		t.pool.failed(u)
		if n++; n > t.config.Retry.Attempts || !(unsent || idempotent(r.Method) && body.whole()) || err != nil && !slices.Contains(t.config.Retry.On, cause(err)) {
			return response, err
		}
		failed, tried = u, append(tried, u)
		poor, last = response, err
	}
}

// bad tells whether an answer is as good as none.
func (t *retrier) bad(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return slices.Contains(t.config.Retry.On, map[int]string{502: "502", 503: "503", 504: "504"}[status])
	}
	return false
}

func idempotent(method string) bool {
	return slices.Contains([]string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}, method)
}

func tooLarge(err error) bool {
	var e *http.MaxBytesError
	return errors.As(err, &e)
}

// cause is what retry.on calls an error.
func cause(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, errSlow):
		return "timeout"
	case errors.As(err, &op) && op.Op == "dial":
		return "connect"
	}
	return "reset"
}

// keptBody is a request's body, its beginning kept.
type keptBody struct {
	head    []byte
	rest    io.Reader // nil if head is all
	length  int64
	touched atomic.Bool // some of it was read; also by an attempt that is over
}

func keepBody(r *http.Request) (*keptBody, error) {
	b := &keptBody{length: r.ContentLength}
	if r.Body == nil || r.Body == http.NoBody {
		return b, nil
	}
	if b.length > replayable {
		b.rest = r.Body
		return b, nil
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, replayable+1))
	if err != nil {
		return nil, err
	}
	if b.head = head; len(head) > replayable {
		b.rest = r.Body
	}
	return b, nil
}

func (b *keptBody) whole() bool { return b.rest == nil }

// reader reads the body from its beginning.
func (b *keptBody) reader() io.Reader {
	if b.rest == nil {
		return bytes.NewReader(b.head)
	}
	return io.MultiReader(bytes.NewReader(b.head), b.rest)
}

//go:build unix

package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// replayable is how large a body may be, in bytes, to be kept: a request's so
// that it can be sent again, an answer's so that one that breaks off can be
// asked for again.
const replayable = 64 << 10

var errSlow = errors.New("the worker does not answer")

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
		response, err := a.send(r)
		if r.Context().Err() != nil || err == nil && !t.bad(response.StatusCode) {
			return response, err
		}
		if errors.Is(err, errSlowClient) || tooLarge(err) {
			return nil, err
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

// attempt is one request to one worker.
type attempt struct {
	*retrier
	upstream *upstream
	body     *keptBody
	timer    *time.Timer // ends it when nothing moves
	cancel   context.CancelCauseFunc
	over     bool

	mu     sync.Mutex
	began  bool          // the answer: the timer is no longer for what is sent
	paused clock.Time    // when the client was asked for more of its body; 0: it was not
	slow   time.Duration // how long it took for that
}

func (a *attempt) send(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	a.cancel = cancel
	a.timer = time.AfterFunc(a.config.Timeouts.Answer.Std(), func() { cancel(errSlow) })
	out := r.WithContext(ctx)
	u := *r.URL
	u.Host = "worker" // the transport knows where it is
	out.URL, out.Body = &u, http.NoBody
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = &sentBody{a.body.reader(), a}
	}
	began := clock.Now()
	response, err := a.upstream.roundTrip(out)
	if err != nil {
		return nil, a.end(ctx, err)
	}
	slow := a.answered()
	a.pool.answered(a.upstream, clock.Since(began)-slow)
	a.upstream.member.gave(response.StatusCode)
	if response.StatusCode == http.StatusSwitchingProtocols {
		a.timer.Stop()
		through := response.Body.(io.ReadWriteCloser)
		a.timer = time.AfterFunc(a.config.Timeouts.Tunnel.Std(), func() { through.Close() }) // the context has no hold of it any more
		response.Body = &tunnel{through, a}
		return response, nil
	}
	if n := response.ContentLength; n < 0 || n > replayable || r.Method == http.MethodHead {
		response.Body = &answerBody{response.Body, a}
		return response, nil
	}
	whole, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, a.end(ctx, err)
	}
	_ = a.end(ctx, nil)
	response.Body = io.NopCloser(bytes.NewReader(whole))
	return response, nil
}

// end ends the attempt; the error of one that was cut off says why.
func (a *attempt) end(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSlow) {
		err = errSlow
		e := a.upstream.member.entry
		a.pool.log.Warn("a worker does not answer", "worker", a.upstream.member.slot, "busy", e.Busy.Load(), "in flight", e.InFlight.Load(), "connections", e.Conns.Load())
	}
	a.release()
	return err
}

// waits says whether it is the worker that is waited for, until it answers.
func (a *attempt) waits(forWorker bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.began:
	case forWorker:
		a.slow += clock.Since(a.paused)
		a.paused = 0
		a.timer.Reset(a.config.Timeouts.Answer.Std())
	default:
		a.paused = clock.Now()
		a.timer.Stop()
	}
}

// answered leaves the timer to the answer, of which a short one is waited for here,
// and returns how long the client took for its body.
func (a *attempt) answered() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.began = true
	a.timer.Reset(a.config.Timeouts.Answer.Std())
	if a.paused != 0 {
		a.slow += clock.Since(a.paused)
	}
	return a.slow
}

func (a *attempt) release() {
	if !a.over {
		a.over = true
		a.timer.Stop()
		a.cancel(nil)
		a.pool.release(a.upstream)
	}
}

// sentBody is a request's body on its way. Closing it leaves the client's open,
// for the next attempt.
type sentBody struct {
	io.Reader
	attempt *attempt
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.attempt.body.touched.Store(true)
	b.attempt.waits(false) // the client's pace is not the worker's
	n, err := b.Reader.Read(p)
	b.attempt.waits(true)
	return n, err
}

func (*sentBody) Close() error { return nil }

// answerBody is an answer on its way.
type answerBody struct {
	io.ReadCloser
	attempt *attempt
}

func (b *answerBody) Read(p []byte) (int, error) {
	b.attempt.timer.Reset(b.attempt.config.Timeouts.Idle.Std())
	n, err := b.ReadCloser.Read(p)
	b.attempt.timer.Stop() // the client's pace is not the worker's
	return n, err
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.attempt.release()
	return err
}

// tunnel is a connection that was upgraded. It ends when neither side has said
// anything for timeouts.tunnel.
type tunnel struct {
	io.ReadWriteCloser
	attempt *attempt
}

func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(p)
	t.attempt.timer.Reset(t.attempt.config.Timeouts.Tunnel.Std())
	return n, err
}

func (t *tunnel) Write(p []byte) (int, error) {
	t.attempt.timer.Reset(t.attempt.config.Timeouts.Tunnel.Std())
	return t.ReadWriteCloser.Write(p)
}

func (t *tunnel) Close() error {
	err := t.ReadWriteCloser.Close()
	t.attempt.release()
	return err
}

// dialTo dials one address, whatever it is asked for.
func dialTo(d *net.Dialer, address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, address)
	}
}

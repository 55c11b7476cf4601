//go:build unix

package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"golang.org/x/net/http/httpguts"
)

// attempt is one request to one worker.
type attempt struct {
	*retrier
	upstream *upstream
	body     *keptBody
	client   *patientBody // nil: the body is no client's
	timer    *time.Timer  // ends it when nothing moves
	cancel   context.CancelCauseFunc
	over     bool

	mu     sync.Mutex
	began  bool          // the answer: the timer is no longer for what is sent
	paused clock.Time    // when the client was asked for more of its body; 0: it was not
	slow   time.Duration // how long it took for that
	gone   bool          // the worker's connection has ended without an answer
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
	if a.client != nil && !a.body.whole() {
		out = out.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			if c, ok := got.Conn.(*workerConn); ok {
				a.use(c)
			}
		}}))
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
		through, ok := response.Body.(io.ReadWriteCloser)
		if !ok || !switches(r, response) { // no client is switched to that
			response.Body.Close()
			return nil, a.end(ctx, errors.New("the worker switches to a protocol that it was not asked for"))
		}
		a.timer.Stop()
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

// switches tells whether an answer names the protocol that its request asked for.
func switches(r *http.Request, answer *http.Response) bool {
	asked := r.Header.Get("Upgrade")
	return asked != "" && httpguts.HeaderValuesContainsToken(answer.Header["Connection"], "Upgrade") && strings.EqualFold(asked, answer.Header.Get("Upgrade"))
}

// end ends the attempt; the error of one that was cut off says why.
func (a *attempt) end(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSlow) {
		err = errSlow
		e := a.upstream.member.entry
		a.pool.log.Warn("a worker does not answer", "worker", a.upstream.member.slot, "busy", e.Busy.Load(), "in flight", a.pool.has(a.upstream), "connections", e.Conns.Load())
	}
	a.release()
	return err
}

// waits says whether it is the worker that is waited for, until it answers. It
// returns true if that has gone.
func (a *attempt) waits(forWorker bool) (gone bool) {
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
	return a.gone
}

// lose lets the client's body be, since the worker's connection has ended. What it
// answered before that is on its way.
func (a *attempt) lose() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loseLocked()
}

func (a *attempt) loseLocked() {
	if !a.began && !a.gone {
		a.gone = true
		a.client.abandon(true)
	}
}

// use notes over which connection it goes: the transport may take another one if
// nothing was sent over the first.
func (a *attempt) use(c *workerConn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.attempt.Store(a)
	if a.gone {
		a.gone = false
		a.client.abandon(false)
	}
	if c.ended.Load() { // and did so before it could tell this attempt
		a.loseLocked()
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
	if b.attempt.waits(true) && err != nil {
		err = errGone
	}
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

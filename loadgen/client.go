package loadgen

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// httpEngine speaks HTTP/1.1 with package http1, without and with TLS.
type httpEngine struct {
	ctx       context.Context // of everything its clients do
	dialer    *dialer
	tls       *tls.Config // nil: none
	keepalive bool
	retry     bool   // send once more what a stale connection lost
	observed  bool   // note when each step of a request was done
	tunnel    []byte // what asks a proxy for a tunnel; nil: none
	trace     func(sent bool, b []byte)
	first     atomic.Pointer[tls.ConnectionState]
}

// engineConfig is what an engine is made of.
type engineConfig struct {
	endpoint         endpoint
	tls              *tls.Config // nil: the system's roots
	connect          Connect
	keepalive, retry bool
	observed         bool
}

func newHTTPEngine(ctx context.Context, c engineConfig) (*httpEngine, error) {
	d, err := c.connect.dialer(c.endpoint)
	if err != nil {
		return nil, err
	}
	h := &httpEngine{
		ctx: ctx, dialer: d, keepalive: c.keepalive, retry: c.retry, observed: c.observed, trace: c.connect.Trace,
	}
	if c.endpoint.tls {
		h.tls = c.connect.clientTLS(c.tls, c.endpoint.host, "http/1.1")
		if c.connect.Proxy != "" {
			h.tunnel, err = c.connect.tunnel(c.endpoint)
		}
	}
	return h, err
}

func (e *httpEngine) name() string { return "http1" }

func (e *httpEngine) handshake() *tls.ConnectionState { return e.first.Load() }

func (e *httpEngine) client() client { return e.newClient() }

func (e *httpEngine) newClient() *httpClient {
	return &httpClient{engine: e, reply: newReply(e.observed)}
}

// httpClient is a client with at most one connection.
type httpClient struct {
	engine *httpEngine
	reply  reply

	wire    *wire    // nil: no connection
	conn    net.Conn // the wire, or TLS over it
	current atomic.Pointer[wire]
	aborted atomic.Bool
}

// do implements client.
func (c *httpClient) do(q *request, deadline clock.Time, o *outcome) {
	o.begin(q)
	reused := c.reusable()
	answered, err := c.exchange(q, deadline, o)
	if err != nil && reused && !answered && c.engine.retry && q.idempotent && lost(err) {
		o.retried = true
		_, err = c.exchange(q, deadline, o)
	}
	o.end(err)
	if err == nil && !o.kept {
		c.close() // which is no part of the request's time
	}
}

// lost tells whether err is the end of a connection.
func lost(err error) bool {
	cause := classify(err)
	return cause == CauseReset || cause == CauseClosed
}

// reusable looks at the connection that is left, and drops it if the peer has
// closed it or said something unasked. Over TLS only an end counts: what has
// come may be a session ticket.
func (c *httpClient) reusable() bool {
	if c.conn == nil {
		return false
	}
	p := &c.wire.peeker
	if c.wire.peek() && !p.end && (p.idle || c.engine.tls != nil) {
		return true
	}
	c.drop()
	return false
}

// exchange sends q on the connection, or on a new one, and reads the answer. It
// tells whether a byte of an answer came. After an error there is no
// connection left; else there is one, to be closed unless o says it is kept.
func (c *httpClient) exchange(q *request, deadline clock.Time, o *outcome) (answered bool, err error) {
	defer func() {
		if err != nil {
			c.drop()
		}
	}()
	if c.conn == nil {
		if err := c.connect(deadline); err != nil {
			return false, err
		}
		if c.engine.observed {
			o.connected = clock.Now()
		}
	}
	if err := c.wire.until(deadline); err != nil {
		return false, err
	}
	reader := c.reply.reader
	before := reader.Received()
	c.wire.first = 0
	n, writeErr := c.conn.Write(q.raw)
	if c.engine.observed {
		o.written = clock.Now()
	}
	if writeErr != nil && !lost(writeErr) {
		o.out += int64(n)
		return false, writeErr
	}
	// A server may answer and close before it has read the whole request.
	c.reply.expect(q, o)
	err = c.reply.read()
	o.out += int64(n)
	if c.engine.observed {
		o.first = c.wire.first
	}
	o.in += reader.Received() - before
	if err != nil {
		if writeErr != nil {
			err = writeErr
		}
		return reader.Received() > before, err
	}
	o.kept = !c.reply.close && c.engine.keepalive && reader.Buffered() == 0 && writeErr == nil
	return true, nil
}

// connect makes a new connection, TLS included.
func (c *httpClient) connect(deadline clock.Time) error {
	tcp, err := c.engine.dialer.dial(c.engine.ctx, deadline)
	if err != nil {
		return err
	}
	w := newWire(tcp)
	c.wire, c.conn = w, w
	c.current.Store(w)
	if c.aborted.Load() {
		return net.ErrClosed
	}
	w.stamp = c.engine.observed
	if c.engine.tunnel != nil {
		if err := c.openTunnel(deadline); err != nil {
			return err
		}
	}
	if c.engine.tls != nil {
		if err := w.until(deadline); err != nil {
			return err
		}
		secure := tls.Client(w, c.engine.tls)
		if err := secure.Handshake(); err != nil {
			return handshakeError{err}
		}
		c.conn = secure
		c.engine.note(secure)
	}
	if c.engine.trace != nil {
		c.conn = traced{c.conn, c.engine.trace}
	}
	c.reply.reader.Reset(c.conn)
	return nil
}

// note keeps the state of the first TLS connection.
func (e *httpEngine) note(conn *tls.Conn) {
	if e.observed && e.first.Load() == nil {
		state := conn.ConnectionState()
		e.first.CompareAndSwap(nil, &state)
	}
}

// openTunnel asks the proxy, to which c is connected, for a way to the target.
func (c *httpClient) openTunnel(deadline clock.Time) error {
	if err := c.wire.until(deadline); err != nil {
		return err
	}
	if _, err := c.wire.Write(c.engine.tunnel); err != nil {
		return err
	}
	c.reply.reader.Reset(c.wire)
	// Its answer has no body, as that to HEAD has none (RFC 9110 §9.3.6).
	res, err := c.reply.reader.Next("HEAD")
	switch {
	case err != nil:
		return err
	case res.Status > 299 || c.reply.reader.Buffered() > 0:
		return fmt.Errorf("the proxy refused a tunnel: %d %s", res.Status, http.StatusText(res.Status))
	}
	return nil
}

// drop closes the connection without a word.
func (c *httpClient) drop() {
	if c.wire != nil {
		c.wire.Close()
		c.wire, c.conn = nil, nil
		c.current.Store(nil)
	}
}

// close ends the connection in good order.
func (c *httpClient) close() {
	if c.conn != nil {
		c.conn.Close()
	}
	c.drop()
}

// abort implements client.
func (c *httpClient) abort() {
	c.aborted.Store(true)
	if w := c.current.Load(); w != nil {
		w.Close()
	}
}

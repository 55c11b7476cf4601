package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// h2Engine speaks HTTP/2 by net/http, over TLS or with prior knowledge. Each
// client has a connection of its own, as with HTTP/1.1.
type h2Engine struct {
	ctx      context.Context
	tls      *tls.Config // nil: none
	scheme   string
	host     string
	observed bool
	first    atomic.Pointer[tls.ConnectionState]
}

func newH2Engine(ctx context.Context, c engineConfig) *h2Engine {
	e := &h2Engine{ctx: ctx, scheme: "http", host: net.JoinHostPort(c.endpoint.host, c.endpoint.port), observed: c.observed}
	if c.endpoint.tls {
		e.scheme, e.tls = "https", c.connect.clientTLS(c.tls, c.endpoint.host, "h2")
	}
	return e
}

func (e *h2Engine) name() string { return "net/http h2" }

func (e *h2Engine) handshake() *tls.ConnectionState { return e.first.Load() }

func (e *h2Engine) client() client {
	t := &http.Transport{
		TLSClientConfig: e.tls.Clone(), DisableCompression: true, Protocols: new(http.Protocols), MaxConnsPerHost: 1,
		DialContext: (&net.Dialer{KeepAlive: -1}).DialContext,
	}
	t.Protocols.SetHTTP2(e.tls != nil)
	t.Protocols.SetUnencryptedHTTP2(e.tls == nil)
	ctx, cancel := context.WithCancel(e.ctx)
	return &h2Client{engine: e, transport: t, ctx: ctx, cancel: cancel, buffer: make([]byte, 16<<10)}
}

// h2Client is a client of an h2Engine.
type h2Client struct {
	engine    *h2Engine
	transport *http.Transport
	ctx       context.Context
	cancel    context.CancelFunc
	buffer    []byte
	body      seeker
}

// do implements client.
func (c *h2Client) do(q *request, deadline clock.Time, o *outcome) {
	o.begin(q)
	err := c.exchange(q, deadline, o)
	o.end(err)
	if err != nil {
		o.cause = classifyH2(err)
		c.transport.CloseIdleConnections()
	}
}

func (c *h2Client) exchange(q *request, deadline clock.Time, o *outcome) error {
	ctx, cancel := context.WithTimeout(c.ctx, deadline.Sub(clock.Now()))
	defer cancel()
	var s h2Steps
	r, err := http.NewRequestWithContext(s.trace(ctx), q.method, c.engine.scheme+"://"+c.engine.host+"/", nil)
	if err != nil {
		return err
	}
	c.fill(r, q)
	res, err := c.transport.RoundTrip(r)
	o.retried = s.conns.Load() > 1
	if c.engine.observed {
		o.connected, o.written, o.first = clock.Time(s.connected.Load()), clock.Time(s.written.Load()), clock.Time(s.first.Load())
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	o.out = int64(len(q.raw))
	if res.TLS != nil && c.engine.first.Load() == nil {
		c.engine.first.CompareAndSwap(nil, res.TLS)
	}
	err = c.readBody(res.Body, q, o)
	o.in = o.body
	if err != nil {
		return err
	}
	o.kept, o.status, o.server = true, res.StatusCode, []byte(res.Header.Get("Server"))
	if q.judge(o, c.body.found, len(res.Header["X-Degraded"]) > 0) {
		o.worker = []byte(res.Header.Get("X-Worker"))
	}
	return nil
}

// fill writes q as a request of net/http. The fields that HTTP/2 has in another
// form are left out.
func (c *h2Client) fill(r *http.Request, q *request) {
	r.URL.Opaque = "//" + c.engine.host + q.target
	if strings.HasPrefix(q.target, "//") {
		r.URL.Opaque = q.target
	}
	r.Header = http.Header{}
	for _, f := range q.fields {
		switch http.CanonicalHeaderKey(f.Name) {
		case "Host":
			r.Host = f.Value
		case "Connection", "Keep-Alive", "Proxy-Connection":
		default:
			r.Header.Set(f.Name, f.Value)
		}
	}
	if q.content != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(q.content)), int64(len(q.content))
		if q.idempotent {
			r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(q.content)), nil }
		}
	}
}

func (c *h2Client) readBody(body io.Reader, q *request, o *outcome) error {
	c.body.seek(q.body)
	for {
		n, err := body.Read(c.buffer)
		o.body += int64(n)
		c.body.in(c.buffer[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// abort implements client.
func (c *h2Client) abort() { c.cancel() }

// close implements client.
func (c *h2Client) close() {
	c.transport.CloseIdleConnections()
	c.cancel()
}

// h2Steps notes when each step of a request was done; net/http tells of them
// from goroutines of its own, even after the request has ended.
type h2Steps struct {
	conns                     atomic.Int32 // connections that it was given: more than one is a retry
	connected, written, first atomic.Int64
}

func (s *h2Steps) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			s.conns.Add(1)
			if !info.Reused {
				s.connected.Store(int64(clock.Now()))
			}
		},
		WroteRequest:         func(httptrace.WroteRequestInfo) { s.written.Store(int64(clock.Now())) },
		GotFirstResponseByte: func() { s.first.Store(int64(clock.Now())) },
	})
}

// classifyH2 says what kind of failure err is. net/http keeps the system's
// errors within its own; those of HTTP/2 itself have only their text.
func classifyH2(err error) Cause {
	var handshake tls.RecordHeaderError
	var timeout interface{ Timeout() bool }
	text := err.Error()
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return CauseTimeout
	case errors.As(err, &handshake), strings.Contains(text, "tls: "), strings.Contains(text, "x509: "):
		return CauseTLS
	case strings.Contains(text, "GOAWAY"), strings.Contains(text, "client connection lost"), strings.Contains(text, "client connection force closed"):
		return CauseClosed
	case strings.Contains(text, "stream error"):
		return CauseReset
	}
	return classify(err)
}

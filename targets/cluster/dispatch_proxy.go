//go:build unix

package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/page"
)

const (
	// proxyName is what the proxy calls itself in Via (RFC 9110 §7.6.3).
	proxyName = "1.1 hachaos"
	// clientIdle is how long a client may keep a connection without a request.
	clientIdle = 2 * time.Minute
	// headerSlop is what net/http allows beyond its limit of a header.
	headerSlop = 4096
	// proxyGC is the proxy's GOGC: a collection takes longer than many requests.
	proxyGC = 400
)

// proxy is an HTTP reverse proxy in the master, before workers that listen on
// ports of their own.
type proxy struct {
	config  Config
	ln      *sweptListener
	server  *http.Server
	pool    *pool
	reverse *httputil.ReverseProxy
	own     http.Handler // answers what the master answers itself; nil: nothing
	gate    gate
	abort   context.CancelFunc // of all that is on its way
	wg      sync.WaitGroup
	rejects atomic.Bool // what comes while the cluster stops
}

// newProxy owns ln, and counts requests in counts.
func newProxy(ln *net.TCPListener, c Config, counts *page.Requests, seed uint64, log *slog.Logger) (*proxy, error) {
	pool, err := newPool(c, seed)
	if err != nil {
		ln.Close()
		return nil, err
	}
	p := &proxy{config: c, ln: &sweptListener{TCPListener: ln}, pool: pool}
	ctx, abort := context.WithCancel(context.Background())
	p.abort = abort
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	p.reverse = &httputil.ReverseProxy{
		Rewrite: rewrite, ModifyResponse: finish, ErrorHandler: failed, ErrorLog: errorLog,
		Transport: &retrier{pool: pool, config: c}, BufferPool: new(buffers),
	}
	p.server = &http.Server{
		Handler: p.gate.before(app.Observe(p, counts)), ErrorLog: errorLog,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: c.Timeouts.Header.Std(), IdleTimeout: clientIdle,
		MaxHeaderBytes: int(c.Limits.Header) - headerSlop,
	}
	return p, nil
}

func (p *proxy) open() {
	p.wg.Go(func() { _ = p.server.Serve(&screenedListener{p.ln, int(p.config.Limits.Header)}) }) // it ends when the listener is closed
}

// ServeHTTP passes a request to a worker, unless it is for the master itself.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.own != nil && (r.URL.Path == "/metrics" || r.URL.Path == "/health") {
		p.own.ServeHTTP(w, r)
		return
	}
	if p.rejects.Load() {
		w.Header().Set("Connection", "close")
		failed(w, r, errNobody)
		return
	}
	if len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close") // see screen
	}
	limit := int64(p.config.Limits.Body)
	idle, control := p.config.Timeouts.Idle.Std(), http.NewResponseController(w)
	if r.ContentLength != 0 {
		_ = control.SetReadDeadline(time.Now().Add(idle)) // also for what the server itself discards
	}
	if r.ContentLength > limit {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if r.ContentLength != 0 {
		r.Body = &patientBody{http.MaxBytesReader(w, r.Body, limit), control, idle}
	}
	p.reverse.ServeHTTP(&patientWriter{w, control, idle}, r)
}

// rewrite tells the worker who asks. What a client says of itself in these
// headers is not passed on.
func rewrite(r *httputil.ProxyRequest) {
	r.Out.Host = r.In.Host
	r.SetXForwarded()
	r.Out.Header.Set("X-Real-IP", clientIP(r.In))
	r.Out.Header["Via"] = append(r.Out.Header["Via"], proxyName)
	r.Out.URL.Scheme = "http"
}

func finish(r *http.Response) error {
	r.Header.Add("Via", proxyName)
	if r.Request.Header.Get("Upgrade") != "" && r.StatusCode != http.StatusSwitchingProtocols {
		r.Header.Set("Connection", "close") // see screen
	}
	return nil
}

// failed answers when no worker did.
func failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errNobody):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	case errors.Is(err, errSlow):
		status = http.StatusGatewayTimeout
	case errors.Is(err, errSlowClient):
		status = http.StatusRequestTimeout
	}
	if r.Header.Get("Upgrade") != "" || status == http.StatusRequestTimeout {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Via", proxyName)
	http.Error(w, http.StatusText(status), status)
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (*proxy) inherit(int) ([]*os.File, error) { return nil, nil }
func (*proxy) vacate(int)                      {}
func (p *proxy) join(m *member)                { p.pool.join(m) }
func (p *proxy) leave(m *member)               { p.pool.leave(m) }
func (p *proxy) gone(m *member)                { p.pool.leave(m) }
func (*proxy) said(*member, frame)             {}
func (*proxy) queued() int                     { return 0 }

// drain takes no more connections and waits for the answers that are owed.
func (p *proxy) drain(ctx context.Context) {
	p.rejects.Store(p.config.Drain.Mode == "reject")
	p.ln.Close()
	p.wg.Wait()
	_ = p.server.Shutdown(ctx) // what lasts longer is cut off
}

func (p *proxy) close() {
	p.ln.TCPListener.Close() // if it was never opened
	p.ln.Close()
	p.wg.Wait()
	_ = p.server.Close()
	p.abort()
	p.gate.close()
	p.pool.close()
}

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

// Unwrap lets a response controller reach what is wrapped.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

//go:build unix

package cluster

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/page"
)

const (
	// headerSlop is what net/http allows beyond its limit of an HTTP/1 header: see
	// screen.
	headerSlop = 4096
	// proxyGC is the proxy's GOGC: a collection takes longer than many requests.
	proxyGC = 400
)

// proxy is an HTTP reverse proxy in the master, before workers that listen on
// ports of their own.
type proxy struct {
	config  Config
	desk    *page.Desk
	ln      *sweptListener
	server  *http.Server
	pool    *pool
	reverse *httputil.ReverseProxy
	sticky  *sticky                       // nil: no cookies
	rate    *limiter                      // nil: no limit
	turned  refusal                       // connections and requests for which there was no room
	secure  *tls.Config                   // nil: no TLS
	own     atomic.Pointer[http.ServeMux] // answers what the master answers itself; nil: nothing
	gate    gate
	abort   context.CancelFunc // of all that is on its way
	wg      sync.WaitGroup
	grace   time.Duration
	rejects atomic.Bool // what comes while the cluster stops
	ends    atomic.Bool // each answer is the last one on its connection
	idle    sync.Map    // connections without a request, each with its [http.ConnState]: new or idle
}

// newProxy owns ln, counts requests in counts and the rest at the desk, and
// completes the secrets.
func newProxy(ln *net.TCPListener, c Config, made *secrets, counts *page.Requests, desk *page.Desk, seed uint64, log *slog.Logger) (*proxy, error) {
	var secure *tls.Config
	err := made.complete(c, ln.Addr().(*net.TCPAddr).IP.String())
	if err == nil {
		secure, err = tlsConfig(c.TLS, made)
	}
	if err != nil {
		ln.Close()
		return nil, err
	}
	pool, err := newPool(c, desk, seed, log)
	if err != nil {
		ln.Close()
		return nil, err
	}
	p := &proxy{
		config: c, desk: desk, pool: pool, secure: secure, sticky: newSticky(c, made), turned: refusal{counts: &desk.Refused},
		ln:   &sweptListener{TCPListener: ln, open: desk.Mine(page.Conns)},
		rate: newLimiter(float64(c.Limits.Rate), &desk.Due), grace: keptGrace,
	}
	if most := int64(c.Limits.Connections); most > 0 {
		p.ln.full, p.ln.tooMany = func() bool { return desk.Exceeds(page.Conns, most) }, p.turnAway
	}
	ctx, abort := context.WithCancel(context.Background())
	p.abort = abort
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, ModifyResponse: p.finish, ErrorHandler: failed, ErrorLog: errorLog,
		Transport: &retrier{pool: pool, config: c}, BufferPool: new(buffers),
	}
	p.server = &http.Server{
		Handler: p.gate.before(app.Observe(p, counts)), ErrorLog: errorLog,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       screened,
		ReadHeaderTimeout: c.Timeouts.Header.Std(), IdleTimeout: c.Timeouts.KeepAlive.Std(),
		MaxHeaderBytes:               int(c.Limits.Header),
		DisableGeneralOptionsHandler: true, // it knows nothing of what the screen did not see
		TLSConfig:                    secure, Protocols: new(http.Protocols), ConnState: p.listenFor,
	}
	p.server.Protocols.SetHTTP1(true)
	p.server.Protocols.SetHTTP2(true)
	p.server.Protocols.SetUnencryptedHTTP2(true)
	return p, nil
}

func (p *proxy) open() {
	look := func(c net.Conn) net.Conn {
		return &screen{Conn: c, limit: int(p.config.Limits.Header), headerTime: p.config.Timeouts.Header.Std()}
	}
	var ln net.Listener = &screenedListener{p.ln, look}
	if p.secure != nil {
		ln = newTLSListener(p.ln, p.secure, p.config.Timeouts.Header.Std(), look)
	}
	p.wg.Go(func() { _ = p.server.Serve(ln) }) // it ends when the listener is closed
}

// turnAway answers a connection beyond the limit.
func (p *proxy) turnAway(c *net.TCPConn) {
	if p.secure != nil {
		p.turned.hangUp(c, tooManyConnections)
		return
	}
	p.turned.answerConn(c, tooManyConnections)
}

func (*proxy) inherit(int) ([]*os.File, error)     { return nil, nil }
func (p *proxy) bequeath() ([]int, []syscall.Conn) { return nil, []syscall.Conn{p.ln.TCPListener} }
func (*proxy) desert(int)                          {}
func (*proxy) vacate(int)                          {}
func (*proxy) spare(int)                           {}
func (p *proxy) join(m *member)                    { p.pool.join(m) }
func (p *proxy) leave(m *member)                   { p.pool.leave(m) }
func (p *proxy) gone(m *member)                    { p.pool.leave(m) }
func (*proxy) said(*member, frame)                 {}
func (*proxy) queued() int                         { return 0 }

// drain takes no more connections and waits for the answers that are owed, also to
// what clients ask within a moment over connections that they keep.
func (p *proxy) drain(ctx context.Context) {
	p.rejects.Store(p.config.Drain.Mode == "reject")
	p.ends.Store(true)
	p.ln.Close()
	p.wg.Wait()
	for over := time.Now().Add(p.grace); p.ln.open.Load() > 0 && time.Now().Before(over) && ctx.Err() == nil; {
		pause(ctx, lookEvery)
	}
	p.shutDown(ctx)
}

const (
	// keptGrace is how long clients have to come once more over a connection that
	// they keep when the cluster stops, and to be told that it ends.
	keptGrace = time.Second
	// lookEvery is the time between two looks at what clients do meanwhile.
	lookEvery = 10 * time.Millisecond
)

// shutDown closes connections without a request, and waits for the others. A
// request that has come and was not read yet, as on a busy machine, is one.
func (p *proxy) shutDown(ctx context.Context) {
	for p.isAsked() && ctx.Err() == nil {
		pause(ctx, lookEvery)
	}
	if p.server.Shutdown(ctx) == nil {
		return
	}
	// What lasts longer is cut off here, where clients can be told (502): each worker
	// would wait for it as long again.
	p.abort()
	told, cancel := context.WithTimeout(context.Background(), cutGrace)
	defer cancel()
	_ = p.server.Shutdown(told) // who does not take it is no concern of ours
}

// cutGrace is how long clients whose requests are cut off have to hear of it.
const cutGrace = time.Second

// passGrace is how long clients have to come once more over a connection that
// they keep, and to be told that it ends.
const passGrace = 2 * time.Second

// pass leaves new connections to another master, and answers what is owed, also to
// who has said nothing yet.
func (p *proxy) pass(ctx context.Context) {
	p.ends.Store(true)
	p.ln.Close()
	pause(ctx, passGrace)
	for p.hasSilent() && ctx.Err() == nil {
		pause(ctx, lookEvery)
	}
	p.wg.Wait()
	p.shutDown(ctx)
}

// listenFor keeps idle true to its name.
func (p *proxy) listenFor(c net.Conn, state http.ConnState) {
	if state == http.StateNew || state == http.StateIdle {
		p.idle.Store(c, state)
	} else {
		p.idle.Delete(c)
	}
}

// hasSilent tells whether a client has said nothing yet.
func (p *proxy) hasSilent() (has bool) {
	p.idle.Range(func(_, state any) bool {
		has = state == http.StateNew
		return !has
	})
	return has
}

// isAsked tells whether a client has sent what the server has not seen yet.
func (p *proxy) isAsked() (is bool) {
	p.idle.Range(func(c, _ any) bool {
		is = pending(c.(net.Conn))
		return !is
	})
	return is
}

// pending tells whether something has come to a client's connection, whatever it is
// wrapped in, that was not read yet.
func pending(c net.Conn) bool {
	if s, ok := c.(*screen); ok {
		if begun := s.begun.Load(); begun != 0 {
			return time.Since(time.Unix(0, begun)) <= headerGrace
		}
		c = s.Conn
	}
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	swept, ok := c.(*sweptConn)
	return ok && swept.Pending()
}

// passTime bounds how long pass takes, where the cluster goes on: a header's time
// for those who are silent, too.
func (c Config) passTime(goesOn bool) time.Duration {
	most := passGrace + c.KillTimeout.Std()
	if goesOn && c.Dispatch == "proxy" {
		most += c.Timeouts.Header.Std()
	}
	return most
}

func (p *proxy) close() {
	p.ln.TCPListener.Close() // if it was never opened
	p.ln.Close()
	p.wg.Wait()
	_ = p.server.Close()
	p.abort()
	p.gate.close()
	p.turned.close()
	p.pool.close()
}

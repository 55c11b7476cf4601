package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// HeaderTimeout bounds how long a client may take for a request's header.
	HeaderTimeout = 10 * time.Second

	idleTimeout = 2 * time.Minute
	// idleGrace is how long a draining server waits for an idle connection's next
	// request, so that an active client is told to close instead of being cut off.
	idleGrace = time.Second
	// lookEvery is how often it looks again at those that were not idle then.
	lookEvery = 100 * time.Millisecond
)

// Server serves an application over one listener, and drains so that no
// request is lost: not one that it has, nor one that is on its way over a
// connection it has kept open.
type Server struct {
	app   *App
	http  http.Server
	grace time.Duration // idleGrace
	done  chan struct{} // Serve has returned

	mu      sync.Mutex
	conns   map[net.Conn]http.ConnState
	changed chan struct{} // holds one: conns changed
}

// arriver is a connection that came with an arrival.
type arriver interface{ Arrival() *Arrival }

// NewServer returns a server of a. What goes wrong with single connections is
// logged as a debug message.
func NewServer(a *App, log *slog.Logger) *Server {
	s := &Server{
		app:     a,
		grace:   idleGrace,
		done:    make(chan struct{}),
		conns:   map[net.Conn]http.ConnState{},
		changed: make(chan struct{}, 1),
	}
	s.http = http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: HeaderTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:         s.track,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if c, ok := c.(arriver); ok {
				return context.WithValue(ctx, arrivalKey{}, c.Arrival())
			}
			return ctx
		},
	}
	return s
}

// Screened says that connections are screened, which bounds a request's header, in
// bytes, beyond which net/http allows some 4 KiB; more is answered 431. It is
// called before Serve.
func (s *Server) Screened(maxHeader int) {
	s.http.MaxHeaderBytes = maxHeader
	s.http.DisableGeneralOptionsHandler = true // it keeps connections whose requests have no end that is seen
	s.app.screened = true
}

// Serve accepts connections until all listeners are closed, and then returns nil.
// If one of them fails, the others are closed.
func (s *Server) Serve(listeners ...net.Listener) error {
	defer close(s.done)
	var serving errgroup.Group
	for _, ln := range listeners {
		serving.Go(func() error {
			err := s.http.Serve(ln)
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			for _, other := range listeners {
				other.Close()
			}
			return fmt.Errorf("serve: %w", err)
		})
	}
	return serving.Wait()
}

func (s *Server) track(c net.Conn, state http.ConnState) {
	if c, ok := c.(arriver); ok && state == http.StateActive {
		c.Arrival().Read()
	}
	s.mu.Lock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(s.conns, c)
	} else {
		s.conns[c] = state
	}
	s.app.entry.Conns.Store(int64(len(s.conns)))
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Drain waits until the listener was closed (by the caller) and every
// connection has ended: each after the answer to its request, an idle one after
// a second without one. When ctx ends it cuts off what is left, and returns how
// many connections that were.
func (s *Server) Drain(ctx context.Context) (cut int) {
	s.app.Drain()
	// Until Serve returns it may hold a connection that is not tracked yet.
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	grace := time.NewTimer(s.grace)
	defer grace.Stop()
	patient := true
	for {
		if left := s.left(!patient); left == 0 {
			return 0
		} else if ctx.Err() != nil {
			_ = s.http.Close() // the connections are given up
			return left
		}
		select {
		case <-s.changed:
		case <-grace.C:
			patient = false
			grace.Reset(lookEvery)
		case <-ctx.Done():
		}
	}
}

// pender is a connection that knows whether there is something to read.
type pender interface{ Pending() bool }

// left counts the connections, after closing those that carry no request if
// asked to. A request that has come and was not read yet, as on a busy machine,
// is not cut off.
func (s *Server) left(closeIdle bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := len(s.conns)
	for c, state := range s.conns {
		if !closeIdle || state == http.StateActive {
			continue
		}
		if p, ok := c.(pender); ok && p.Pending() {
			continue
		}
		_ = c.Close() // its end is what was wanted
		left--
	}
	return left
}

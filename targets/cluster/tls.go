//go:build unix

package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// handshakeGrace is how long handshakes may go on once the listener is closed.
const handshakeGrace = time.Second

// tlsConfig reads the certificate, or takes the one that was made. The nil TLS has
// none.
func tlsConfig(t *TLS, s *secrets) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if t.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	var pair tls.Certificate
	var err error
	if t.SelfSigned {
		pair, err = s.pair()
	} else {
		pair, err = keyPair(t.Cert, t.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

func keyPair(cert, key string) (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err == nil && time.Now().After(pair.Leaf.NotAfter) {
		err = fmt.Errorf("the certificate in %s expired on %s", cert, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	if err != nil {
		return pair, fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	return pair, nil
}

// tlsListener accepts connections whose handshake is done, each of which has
// patience for it and waits for no other.
type tlsListener struct {
	net.Listener
	config   *tls.Config
	patience time.Duration
	screened func(net.Conn) net.Conn // what comes of one that speaks HTTP/1.1

	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	done   chan handshake
}

// handshake is a connection that is ready, or why there are no more.
type handshake struct {
	conn net.Conn
	err  error
}

func newTLSListener(ln net.Listener, c *tls.Config, patience time.Duration, screened func(net.Conn) net.Conn) *tlsListener {
	l := &tlsListener{Listener: ln, config: c, patience: patience, screened: screened, done: make(chan handshake)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Accept returns the next connection that has shaken hands. Once the listener is
// closed and the last has, it returns net.ErrClosed.
func (l *tlsListener) Accept() (net.Conn, error) {
	l.once.Do(func() { go l.accept() })
	h, ok := <-l.done
	if !ok {
		return nil, net.ErrClosed
	}
	return h.conn, h.err
}

func (l *tlsListener) accept() {
	var wg sync.WaitGroup
	defer close(l.done)
	defer wg.Wait()
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				time.AfterFunc(handshakeGrace, l.cancel)
				return
			}
			l.pass(handshake{err: err}) // the server waits, and asks again
			continue
		}
		wg.Go(func() {
			if c := l.shake(conn); c != nil && !l.pass(handshake{conn: c}) {
				c.Close()
			}
		})
	}
}

// pass returns false if nobody accepts any more.
func (l *tlsListener) pass(h handshake) bool {
	select {
	case l.done <- h:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// shake returns nil for a connection with which it failed, which is closed then.
func (l *tlsListener) shake(conn net.Conn) net.Conn {
	ctx, cancel := context.WithTimeout(l.ctx, l.patience)
	defer cancel()
	c := tls.Server(conn, l.config)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil
	}
	if c.ConnectionState().NegotiatedProtocol == "h2" {
		return c // the server knows by the type that it may be HTTP/2
	}
	return l.screened(c)
}

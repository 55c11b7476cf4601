package backend

import (
	"io"
	"net"
	"sync"

	"github.com/hachaos/hachaos/targets/port"
)

// tcpService sends back what it receives.
type tcpService struct {
	ln    net.Listener
	wg    sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]bool // nil once it is closed
}

func serveTCP(s Setup) (service, error) {
	ln, err := port.Listen(s.Listen)
	if err != nil {
		return nil, err
	}
	t := &tcpService{ln: ln, conns: map[net.Conn]bool{}}
	t.wg.Go(t.accept)
	return t, nil
}

func (t *tcpService) accept() {
	for {
		c, err := t.ln.Accept()
		if err != nil {
			return
		}
		if !t.keep(c) {
			c.Close()
			return
		}
		t.wg.Go(func() {
			defer t.drop(c)
			_, _ = io.Copy(c, c) // a client that has gone is no concern of ours
		})
	}
}

func (t *tcpService) keep(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conns == nil {
		return false
	}
	t.conns[c] = true
	return true
}

func (t *tcpService) drop(c net.Conn) {
	c.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}

func (t *tcpService) name() string { return "TCP echo" }

func (t *tcpService) order(what string, _ bool) error { return unknownOrder(what) }

func (t *tcpService) close() error {
	err := t.ln.Close()
	t.mu.Lock()
	for c := range t.conns {
		c.Close()
	}
	t.conns = nil
	t.mu.Unlock()
	t.wg.Wait()
	return err
}

package note

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// maxDatagram is more than two lines within their limits take.
const maxDatagram = 16 << 10

// Listener hears what senders tell.
type Listener struct {
	conn    net.PacketConn
	path    string // of its socket; "" with UDP
	last    string // its own last datagram: secret, or anybody could end it
	closing atomic.Bool
	once    sync.Once
	done    chan struct{}
}

// Listen hears events at a socket that it makes at path, which must not exist
// and must be short (some 100 characters); where there are no Unix datagram
// sockets it takes a UDP port of the loopback interface instead. hear is called
// for each event, one call at a time, with the time at which it arrived; what is
// not an event is ignored.
func Listen(path string, hear func(clock.Time, Event)) (*Listener, error) {
	address := path
	if runtime.GOOS == "windows" {
		path, address = "", "127.0.0.1:0"
	}
	conn, err := net.ListenPacket(network(address), address)
	if err != nil {
		return nil, fmt.Errorf("listen for events at %s: %w", address, err)
	}
	l := &Listener{conn: conn, path: path, last: rand.Text(), done: make(chan struct{})}
	go l.listen(hear)
	return l, nil
}

// Address is what [Var] is to be for those who tell.
func (l *Listener) Address() string { return l.conn.LocalAddr().String() }

// Close ends the listener and removes its socket. What had been sent before was
// heard when it returns.
func (l *Listener) Close() {
	l.once.Do(func() {
		l.closing.Store(true)
		// Its own last datagram comes after all others. Should it not get through,
		// time ends the wait.
		_ = l.conn.SetReadDeadline(time.Now().Add(time.Second))
		if conn, err := net.Dial(l.conn.LocalAddr().Network(), l.Address()); err == nil {
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = conn.Write([]byte(l.last))
			conn.Close()
		}
		<-l.done
		l.conn.Close()
		if l.path != "" {
			_ = os.Remove(l.path) // gone already, which is as good
		}
	})
}

func (l *Listener) listen(hear func(clock.Time, Event)) {
	defer close(l.done)
	p := make([]byte, maxDatagram)
	for {
		n, _, err := l.conn.ReadFrom(p)
		at := clock.Now()
		if l.closing.Load() && (err != nil || string(p[:n]) == l.last) {
			return
		}
		var e Event
		if err != nil || json.Unmarshal(p[:n], &e) != nil {
			continue
		}
		e.Source, e.What = line(e.Source, maxSource), line(e.What, maxWhat)
		if e.What == "" {
			continue
		}
		if e.Source == "" {
			e.Source = "target"
		}
		hear(at, e)
	}
}

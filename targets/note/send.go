package note

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// patience is between two tries to send what the listener had no room for: a
	// Unix socket holds 10 datagrams by default.
	patience = 5 * time.Millisecond
	// backlog is how many events wait for that. What comes on top is dropped.
	backlog = 256
)

// Sender tells events. It never blocks: what cannot be sent for a while is
// dropped, for no report is worth a request that waits for it. The nil Sender
// drops everything.
type Sender struct {
	conn net.Conn

	mu      sync.Mutex
	waiting [][]byte
	timer   *time.Timer // not nil: tries again
	closed  bool
}

// FromEnv returns a sender to where [Var] says; nil, which drops everything, if
// it is not set or nobody listens there.
func FromEnv() *Sender {
	address := os.Getenv(Var)
	if address == "" {
		return nil
	}
	s, err := Dial(address)
	if err != nil {
		return nil
	}
	return s
}

// Dial returns a sender to the address of a [Listener].
func Dial(address string) (*Sender, error) {
	conn, err := net.Dial(network(address), address)
	if err != nil {
		return nil, fmt.Errorf("tell events to %s: %w", address, err)
	}
	return &Sender{conn: conn}, nil
}

// network tells a path from host:port.
func network(address string) string {
	if filepath.IsAbs(address) {
		return "unixgram"
	}
	return "udp"
}

// Send tells that something happened to source.
func (s *Sender) Send(source, format string, args ...any) {
	if s == nil {
		return
	}
	text, err := json.Marshal(Event{Source: line(source, maxSource), What: line(fmt.Sprintf(format, args...), maxWhat)})
	if err != nil {
		return // two texts can always be written
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.waiting) >= backlog {
		return
	}
	s.waiting = append(s.waiting, append(text, '\n'))
	if s.timer == nil {
		s.flush()
	}
}

// flush sends what waits, in order, until there is no room.
func (s *Sender) flush() {
	s.timer = nil
	for len(s.waiting) > 0 {
		if full := sendNow(s.conn, s.waiting[0]); full && !s.closed {
			s.timer = time.AfterFunc(patience, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				if !s.closed {
					s.flush()
				}
			})
			return
		}
		s.waiting = s.waiting[1:]
	}
}

// Close tries once more to send what waits, and ends the sender.
func (s *Sender) Close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.flush()
	s.conn.Close()
}

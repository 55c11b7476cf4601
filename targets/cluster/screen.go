//go:build unix

package cluster

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// screenedListener refuses requests that two servers may read as different
// ones, which net/http accepts: with Content-Length and Transfer-Encoding, with
// a line that ends without a carriage return, or with a folded line (RFC 9112
// §2.2, §5.2, §6.3).
type screenedListener struct {
	net.Listener
	screened func(net.Conn) net.Conn
}

func (l *screenedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.screened(c), nil
}

// preface is how a connection of HTTP/2 begins (RFC 9113 §3.4), up to what looks
// like the end of a header.
const preface = "PRI * HTTP/2.0"

// screen hands a request's header on once it is complete and was looked at.
//
// It follows bodies by their Content-Length. A chunked body, or a connection
// that is upgraded, has an end that it does not see: it lets all through from
// then on, and the server serves no further request on that connection.
type screen struct {
	net.Conn
	limit   int
	space   []byte // what in is a part of
	in      []byte // read and not handed on
	looked  int    // so many bytes of in are a header's that is not complete
	passed  int    // so many bytes of in may be handed on
	body    int64  // bytes to come that are no header
	through bool   // all may be handed on
	blank   bool   // an empty line before the header was left out

	headerTime time.Duration // from its first byte to its last; 0: the server sees to that
	noUpgrades bool          // the server grants none: such a request has the end that its header says
	waiting    atomic.Bool   // the server waits for a request
	begun      atomic.Int64  // when the header began that is not complete, in ns since 1970; 0: there is none

	last atomic.Pointer[time.Time] // no read lasts for longer; nil: there is no such time
}

// screenSpace is room for most headers, in bytes.
const screenSpace = 2 << 10

// malformed is what the server reads instead of a request that is refused: it
// answers 400 and closes. It is no shorter than what tells HTTP/2 from it.
const malformed = "this was refused\r\n\r\n"

// tooLong is more of a header than the server accepts beyond the limit.
var tooLong = strings.Repeat("a", 2*headerSlop)

func (s *screen) Read(p []byte) (int, error) {
	for s.passed == 0 && len(p) > 0 {
		if s.through || s.body > 0 {
			if len(s.in) == 0 {
				return s.readBody(p)
			}
			s.passed = len(s.in)
			if !s.through {
				s.passed = int(min(int64(s.passed), s.body))
				s.body -= int64(s.passed)
			}
			break
		}
		if s.header() {
			break
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.in[:s.passed])
	if s.in, s.passed = s.in[n:], s.passed-n; len(s.in) == 0 {
		s.in = s.space[:0]
	}
	return n, nil
}

// fill reads more of what may be a header.
func (s *screen) fill() error {
	if free := cap(s.in) - len(s.in); free == 0 || cap(s.in) < screenSpace && len(s.in) > 0 {
		// What was handed on is forgotten with the space that it took.
		s.space = append(make([]byte, 0, max(screenSpace, 2*len(s.in))), s.in...)
		s.in = s.space
	}
	n, err := s.Conn.Read(s.in[len(s.in):cap(s.in)])
	s.in = s.in[:len(s.in)+n]
	if n > 0 {
		return nil
	}
	return err
}

// begin notes that part of a header is there. From its first byte on it is no
// longer the time between two requests that counts, but the header's. While a
// request is served the server reads too, to see whether the client has gone: it
// must not be told then that somebody is slow.
func (s *screen) begin() {
	if s.headerTime == 0 || s.begun.Load() != 0 {
		return
	}
	now := time.Now()
	s.begun.Store(now.UnixNano())
	if s.waiting.Load() {
		_ = s.Conn.SetReadDeadline(now.Add(s.headerTime))
	}
}

func (s *screen) readBody(p []byte) (int, error) {
	if !s.through && int64(len(p)) > s.body {
		p = p[:s.body]
	}
	n, err := s.Conn.Read(p)
	if !s.through {
		s.body -= int64(n)
	}
	return n, err
}

// linger bounds all that is read from now on: the server reads what is left of a
// body that nobody wants, and knows no bound there.
func (s *screen) linger(d time.Duration) {
	last := time.Now().Add(d)
	s.last.Store(&last)
	_ = s.Conn.SetReadDeadline(last)
}

// SetReadDeadline implements [net.Conn]. The server sets one that is to come while
// it waits for a request, and none while it serves one.
func (s *screen) SetReadDeadline(t time.Time) error {
	now := time.Now()
	s.waiting.Store(t.After(now))
	if s.begun.Load() != 0 && t.After(now) {
		t = now.Add(s.headerTime)
	}
	if last := s.last.Load(); last != nil && (t.IsZero() || t.After(*last)) {
		t = *last
	}
	return s.Conn.SetReadDeadline(t)
}

// screenKey is where a request's context has its screen.
type screenKey struct{}

// screened lets requests know the screen that they came through; those of HTTP/2
// came through none, or it lets all through.
func screened(ctx context.Context, c net.Conn) context.Context {
	if s, ok := c.(*screen); ok {
		return context.WithValue(ctx, screenKey{}, s)
	}
	return ctx
}

func screenOf(r *http.Request) *screen {
	s, _ := r.Context().Value(screenKey{}).(*screen)
	return s
}

// CloseWrite lets the server say that nothing follows its answer while it still
// waits for the client to see it.
func (s *screen) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// header looks whether a header is complete, and lets it pass if so.
func (s *screen) header() bool {
	if !s.blank && bytes.HasPrefix(s.in, []byte("\r\n")) { // RFC 9112 §2.2
		s.in, s.looked, s.blank = s.in[2:], 0, true
	}
	if len(s.in) == 0 {
		return false
	}
	from := max(0, s.looked-3) // the end may have begun
	end := bytes.Index(s.in[from:], []byte("\r\n\r\n"))
	if end >= 0 {
		end += from
	}
	bare := bareLine(s.in, s.looked, end)
	s.looked = 0
	switch {
	case bare:
		s.begun.Store(0)
		s.in, s.through = []byte(malformed), true
		s.passed = len(s.in)
		return true
	case end < 0 && len(s.in) > s.limit || end+4 > s.limit:
		if end >= 0 {
			s.in = s.in[:end]
		}
		s.begun.Store(0)
		s.in = append(s.in, tooLong...) // the server refuses what goes on for longer than it allows
		s.passed, s.through = len(s.in), true
		return true
	case end < 0:
		s.looked = len(s.in)
		s.begin()
		return false
	}
	s.blank = false
	s.begun.Store(0)
	if string(s.in[:end]) == preface {
		s.passed, s.through = len(s.in), true
		return true
	}
	length, through, ok := framing(string(s.in[:end]), !s.noUpgrades)
	if !ok {
		s.in, through = []byte(malformed), true
		end = len(s.in) - 4
	}
	s.passed, s.body, s.through = end+4, length, through
	return true
}

// bareLine tells whether a line of the header ends without a carriage return.
func bareLine(b []byte, from, end int) bool {
	if end >= 0 {
		b = b[:end]
	}
	for i := from; i < len(b); i++ {
		if b[i] == '\n' && (i == 0 || b[i-1] != '\r') {
			return true
		}
	}
	return false
}

// framing reads how long a request's body is; through says that its end cannot
// be told, ok that its header leaves no doubt. Upgrades may be granted, or not.
func framing(header string, upgrades bool) (length int64, through, ok bool) {
	lengths, encodings, chunks := 0, 0, false
	for i, line := range strings.Split(header, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch {
		case i == 0:
			if line == "" {
				return 0, true, false
			}
			chunks = strings.HasSuffix(line, " HTTP/1.1") // HTTP/1.0 has none, and net/http looks for none there
			continue
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"), strings.ContainsRune(line, '\r'):
			return 0, true, false
		}
		switch value = strings.Trim(value, " \t"); strings.ToLower(strings.Trim(name, " \t")) {
		case "content-length":
			lengths++
			n, err := strconv.ParseUint(value, 10, 62)
			if err != nil {
				return 0, true, false
			}
			length = int64(n)
		case "transfer-encoding":
			encodings++
		case "upgrade":
			through = upgrades
		}
	}
	return length, through || encodings > 0, lengths+encodings <= 1 && (encodings == 0 || chunks)
}

//go:build unix

package cluster

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// readConn is a connection of which only reading matters.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// However the bytes come, what the server reads is the same, and of a header that
// comes in many pieces none is looked at again and again.
func TestScreenLooksOnceAtEachByte(t *testing.T) {
	const get, long = "GET / HTTP/1.1\r\nHost: test\r\n\r\n", "GET / HTTP/1.1\r\nX: "
	limit := 16 << 10
	for what, c := range map[string]struct{ text, want string }{
		"two requests":          {get + get, get + get},
		"a body":                {"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\n\n\n" + get, "PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\n\n\n" + get},
		"a bare end":            {"GET / HTTP/1.1\r\n\n", malformed},
		"a bare line, later":    {get + "GET / HTTP/1.1\nHost: test\r\n\r\n", get + malformed},
		"an end after a return": {"GET / HTTP/1.1\r\nX: y\r\r\n\r\n", malformed},
		"half a header":         {"GET / HTTP/1.1\r\n", ""},
	} {
		for how, in := range map[string]io.Reader{"at once": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text))} {
			got, err := io.ReadAll(&screen{Conn: readConn{Reader: in}, limit: limit})
			if err != nil || !strings.HasPrefix(string(got), c.want) || c.want == "" && len(got) > 0 {
				t.Errorf("%s, %s: %q, %v", what, how, got, err)
			}
		}
	}
	s := &screen{limit: limit, in: []byte(long)}
	for len(s.in) < limit {
		if s.header() || s.looked != len(s.in) {
			t.Fatalf("of %d bytes %d are looked at", len(s.in), s.looked)
		}
		s.in = append(s.in, 'x')
	}
}

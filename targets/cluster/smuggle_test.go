//go:build unix

package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hachaos/hachaos/targets/page"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// field is a header field as a client writes it, whatever it says.
type field struct{ name, value string }

// rawH2 is a client of HTTP/2 that can send what no library would.
type rawH2 struct {
	t      *testing.T
	conn   net.Conn
	frames *http2.Framer
	next   uint32 // stream
}

func (f *front) rawH2() *rawH2 {
	f.t.Helper()
	conn := f.begin(http2.ClientPreface)
	c := &rawH2{t: f.t, conn: conn, frames: http2.NewFramer(conn, conn), next: 1}
	c.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := c.frames.WriteSettings(); err != nil {
		f.t.Fatal(err)
	}
	return c
}

// ask sends a request in one stream, its body in a frame of its own, and returns
// the status of the answer; 0 if the stream or the connection was ended instead.
func (c *rawH2) ask(body string, fields ...field) int {
	c.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			c.t.Fatal(err)
		}
	}
	stream := c.next
	c.next += 2
	err := c.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == ""})
	if err == nil && body != "" {
		err = c.frames.WriteData(stream, true, []byte(body))
	}
	if err != nil {
		return 0 // the connection was ended already
	}
	for {
		f, err := c.frames.ReadFrame()
		var ended net.Error
		if errors.As(err, &ended) && ended.Timeout() {
			c.t.Fatal("neither an answer nor an end")
		}
		if err != nil {
			return 0
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = c.frames.WriteSettingsAck() // if that fails, the next read does too
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return 0
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return 0
			}
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream {
				var status int
				_, _ = fmt.Sscan(f.PseudoValue("status"), &status)
				return status
			}
		}
	}
}

// seen is the bytes that a worker was sent, on all its connections.
type seen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// watched writes down what a listener's connections read.
type watched struct {
	net.Listener
	seen *seen
}

type watchedConn struct {
	net.Conn
	seen *seen
}

func (w watched) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return watchedConn{c, w.seen}, nil
}

func (c watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	c.seen.text.Write(p[:n])
	return n, err
}

// newWatchedFront is a proxy before one worker, of which each request is counted
// by path and each byte is seen.
func newWatchedFront(t *testing.T) (f *front, wire *seen, paths func() []string) {
	t.Helper()
	wire = new(seen)
	var mu sync.Mutex
	var asked []string
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // one that breaks off is no request
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.RequestURI)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(watched{ln, wire}) })
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
	f = newFront(t, Config{})
	f.join(&member{slot: 1, entry: new(page.Entry), port: ln.Addr().(*net.TCPAddr).Port})
	return f, wire, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), asked...)
	}
}

// What a client of HTTP/2 writes into its fields must not become another request,
// or another end of a body, in the HTTP/1.1 that its worker is sent.
func TestHTTP2CannotSmuggle(t *testing.T) {
	base := func(method, path string, more ...field) []field {
		return append([]field{{":method", method}, {":scheme", "http"}, {":authority", "test"}, {":path", path}}, more...)
	}
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
	for _, c := range []struct {
		what   string
		fields []field
		body   string
		passed bool // as one harmless request
	}{
		{"CR LF in a value", base("GET", "/", field{"x", "a\r\n\r\n" + smuggled}), "", false},
		{"LF in a value", base("GET", "/", field{"x", "a\nhost: other"}), "", false},
		{"CR in a value", base("GET", "/", field{"x", "a\rb"}), "", false},
		{"NUL in a value", base("GET", "/", field{"x", "a\x00b"}), "", false},
		{"CR LF in a name", base("GET", "/", field{"x: a\r\nhost", "other"}), "", false},
		{"a colon in a name", base("GET", "/", field{"host: other\r\nx", "a"}), "", false},
		{"a space in a name", base("GET", "/", field{"transfer-encoding ", "chunked"}), "", false},
		{"capitals in a name", base("GET", "/", field{"X-A", "a"}), "", false},
		{"CR LF in the path", base("GET", "/ HTTP/1.1\r\nHost: test\r\n\r\n"+smuggled), "", false},
		{"a space in the path", base("GET", "/a HTTP/1.1"), "", false},
		{"no path", []field{{":method", "GET"}, {":scheme", "http"}, {":authority", "test"}}, "", false},
		{"an empty path", base("GET", ""), "", false},
		{"a path without a slash", base("GET", "smuggled"), "", false},
		{"CR LF in the method", base("GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\nGET", "/"), "", false},
		{"a space in the method", base("GET /smuggled", "/"), "", false},
		{"CR LF in the authority", []field{{":method", "GET"}, {":scheme", "http"}, {":authority", "test\r\nx: y"}, {":path", "/"}}, "", false},
		{"a path in the authority", []field{{":method", "GET"}, {":scheme", "http"}, {":authority", "test/smuggled"}, {":path", "/"}}, "", false},
		{"two paths", base("GET", "/", field{":path", "/smuggled"}), "", false},
		{"two methods", base("GET", "/", field{":method", "POST"}), "", false},
		{"two authorities", base("GET", "/", field{":authority", "other"}), "", false},
		{"an unknown pseudo field", base("GET", "/", field{":smuggled", "1"}), "", false},
		{"a pseudo field after the others", []field{{":method", "GET"}, {":scheme", "http"}, {"x", "a"}, {":authority", "test"}, {":path", "/"}}, "", false},
		{"Transfer-Encoding", base("POST", "/", field{"transfer-encoding", "chunked"}), "0\r\n\r\n" + smuggled, false},
		{"Transfer-Encoding and a length", base("POST", "/", field{"transfer-encoding", "chunked"}, field{"content-length", "5"}), "0\r\n\r\n" + smuggled, false},
		{"Connection", base("GET", "/", field{"connection", "close"}), "", false},
		{"Proxy-Connection", base("GET", "/", field{"proxy-connection", "keep-alive"}), "", false},
		{"Keep-Alive", base("GET", "/", field{"keep-alive", "timeout=5"}), "", false},
		{"Upgrade", base("GET", "/", field{"upgrade", "websocket"}), "", false},
		{"TE that is not trailers", base("GET", "/", field{"te", "chunked"}), "", false},
		{"a length that is too short", base("POST", "/", field{"content-length", "1"}), "a" + smuggled, false},
		{"a length that is too long", base("POST", "/", field{"content-length", "100"}), "a", false},
		{"two lengths", base("POST", "/", field{"content-length", "1"}, field{"content-length", "40"}), "a" + smuggled, false},
		{"a length of two", base("POST", "/", field{"content-length", "1, 1"}), "a", false},
		{"a signed length", base("POST", "/", field{"content-length", "+1"}), "a", false},
		{"a length without a body", base("POST", "/", field{"content-length", "40"}), "", false},
		{"a request in a body", base("POST", "/", field{"content-length", fmt.Sprint(len(smuggled))}), smuggled, true},
		{"a request in a body of no length", base("POST", "/"), smuggled, true},
		{"chunks in a body of no length", base("POST", "/"), "0\r\n\r\n" + smuggled, true},
		{"Host beside the authority", base("GET", "/", field{"host", "other"}), "", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			f, wire, paths := newWatchedFront(t)
			status := f.rawH2().ask(c.body, c.fields...)
			// The worker's connections are as they were: the next request is the next.
			if status := f.rawH2().ask("", base("GET", "/after")...); status != http.StatusOK {
				t.Errorf("the next request is answered %d", status)
			}
			got := paths()
			if last := len(got) - 1; last < 0 || got[last] != "GET /after" {
				t.Fatalf("the worker was asked %q", got)
			}
			got = got[:len(got)-1]
			for _, asked := range got {
				if strings.Contains(asked, "smuggled") {
					t.Errorf("the worker was asked %q", got)
				}
			}
			switch {
			case c.passed && (status != http.StatusOK || len(got) != 1):
				t.Errorf("it is answered %d, and the worker was asked %q", status, got)
			case !c.passed && status >= 200 && status < 300:
				t.Errorf("it is answered %d, and the worker was sent %q", status, wire)
			case !c.passed && len(got) != 0:
				t.Errorf("the worker was asked %q: %q", got, wire)
			}
			if c.what == "Host beside the authority" && !strings.Contains(wire.String(), "\r\nHost: test\r\n") {
				t.Errorf("the worker was sent %q", wire)
			}
		})
	}
}

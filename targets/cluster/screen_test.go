//go:build unix

package cluster

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
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

// pipes is a listener that has one connection.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error { close(p); return nil }
func (pipes) Addr() net.Addr { return &net.UnixAddr{} }

// A header has its own time, from its first byte on: on a kept connection too, whose
// time between requests is another, and without harm to a request that is served
// meanwhile.
func TestHeaderHasItsTime(t *testing.T) {
	const headerTime, idleTime, work = 10 * time.Second, time.Minute, 30 * time.Second
	const get, slow, half, rest = "GET / HTTP/1.1\r\nHost: test\r\n\r\n", "GET /slow HTTP/1.1\r\nHost: test\r\n\r\n", "GET / HTTP/1.1\r\nHo", "st: test\r\n\r\n"
	for name, c := range map[string]struct {
		steps   []any // what is sent, and how long it is waited after it
		answers int
		ends    time.Duration // when the connection does
	}{
		"the first one":              {[]any{half}, 0, headerTime},
		"a later one":                {[]any{get, 5 * time.Second, half}, 1, 5*time.Second + headerTime},
		"begun late":                 {[]any{get, 55 * time.Second, half, 9 * time.Second, rest}, 2, 64*time.Second + idleTime},
		"no request":                 {[]any{get}, 1, idleTime},
		"while a request is served":  {[]any{slow, time.Second, half}, 1, work + headerTime},
		"all of it, while one is":    {[]any{slow, time.Second, half, time.Second, rest}, 2, work + idleTime},
		"all of it, once it is over": {[]any{slow, time.Second, half, work, rest}, 2, work + time.Second + idleTime},
		"in many pieces":             {[]any{"GET", 4 * time.Second, " / HTTP/1.1\r\n", 4 * time.Second, "Host: test\r\n", 4 * time.Second}, 0, headerTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, served := net.Pipe()
				s := http.Server{
					ReadHeaderTimeout: headerTime, IdleTimeout: idleTime,
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path != "/slow" {
							return
						}
						select {
						case <-time.After(work):
						case <-r.Context().Done():
							t.Error("the request was cut off")
						}
					}),
				}
				ln := make(pipes)
				var serving sync.WaitGroup
				serving.Go(func() { _ = s.Serve(ln) })
				defer serving.Wait()
				defer s.Close()
				ln <- &screen{Conn: served, limit: 16 << 10, headerTime: headerTime}
				began := time.Now()
				serving.Go(func() {
					for _, step := range c.steps {
						switch step := step.(type) {
						case time.Duration:
							time.Sleep(step)
						case string:
							_, _ = io.WriteString(client, step) // its end is seen below
						}
					}
				})
				text, _ := io.ReadAll(client)
				if took := time.Since(began); took != c.ends {
					t.Errorf("the connection ends after %v, want %v", took, c.ends)
				}
				if n := strings.Count(string(text), "HTTP/1.1 200 OK"); n != c.answers {
					t.Errorf("%d answers, want %d: %q", n, c.answers, text)
				}
				client.Close()
			})
		})
	}
}

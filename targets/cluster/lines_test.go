//go:build unix

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/port"
)

// server answers each connection's requests with the texts in turn; after the
// last it ends the connection.
func server(t *testing.T, conns ...[]string) (l *lines, accepted *atomic.Int64) {
	t.Helper()
	ln, err := port.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, answers := range conns {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			in := bufio.NewReader(c)
			for _, text := range answers {
				r, err := http.ReadRequest(in)
				if err != nil {
					break
				}
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprint(c, text)
			}
			c.Close()
		}
	}()
	address := ln.Addr().String()
	l = &lines{dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
	t.Cleanup(func() { l.closeIdle(); ln.Close(); <-done })
	return l, accepted
}

// ask sends a request and reads the whole answer.
func (l *lines) ask(t *testing.T, method string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://worker/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := l.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	return string(b), err
}

func TestLinesAreKept(t *testing.T) {
	const ok, chunked = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
	const early, none = "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"
	l, accepted := server(t,
		[]string{ok, chunked, early + ok, none, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"},
		[]string{ok, ""}, // closes without an answer to the second request
		[]string{ok},
	)
	for i, want := range []string{"ok", "ok", "ok", "", "ok", "ok", "ok"} {
		if got, err := l.ask(t, http.MethodGet); got != want || err != nil {
			t.Errorf("answer %d is %q, %v", i, got, err)
		}
	}
	if n := accepted.Load(); n != 3 {
		t.Errorf("7 requests took %d connections, want 3", n)
	}
}

func TestLinesDoNotRepeatWhatMayNotBe(t *testing.T) {
	l, accepted := server(t, []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""}, []string{"HTTP/1.1 200 OK\r\n\r\n"})
	if _, err := l.ask(t, http.MethodGet); err != nil {
		t.Fatal(err)
	}
	if got, err := l.ask(t, http.MethodPost); err == nil || accepted.Load() != 1 {
		t.Errorf("a lost POST is answered %q over connection %d", got, accepted.Load())
	}
}

func TestLinesBoundWhatTheyRead(t *testing.T) {
	l, _ := server(t, []string{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", maxAnswerHeader) + "\r\n\r\n"})
	if _, err := l.ask(t, http.MethodGet); err == nil {
		t.Error("a header without end was read")
	}
}

func TestLinesGiveUpWithTheClient(t *testing.T) {
	l, _ := server(t, []string{""})
	hang, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hang.Close()
	l.dial = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", hang.Addr().String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://worker/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.RoundTrip(r); err == nil {
		t.Error("a worker that says nothing has answered")
	}
}

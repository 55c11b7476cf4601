//go:build unix

package cluster

import (
	"bufio"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/port"
)

// Who keeps a connection may ask once more when the cluster stops, and is told that
// it ends.
func TestProxyServesKeptConnectionsAsItStops(t *testing.T) {
	f := newFront(t, Config{}, name("served"))
	f.grace = time.Hour
	ctx, cancel := timeout()
	defer cancel()
	const get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
	conn := f.begin(get)
	r := bufio.NewReader(conn)
	ask := func(what string) *http.Response {
		t.Helper()
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if body := end(t, a.Body); body != "served" {
			t.Errorf("%s is answered %q", what, body)
		}
		return a
	}
	if ask("the first request").Close {
		t.Error("the connection is not kept")
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		f.drain(ctx)
	}()
	if !eventually(f.ends.Load) {
		t.Fatal("it does not end")
	}
	select {
	case <-drained:
		t.Error("the connection has not ended")
	case <-time.After(100 * time.Millisecond): // it would have by now
	}
	if _, err := conn.Write([]byte(get)); err != nil {
		t.Fatal(err)
	}
	if !ask("a request in the end").Close {
		t.Error("the client is not told of the end")
	}
	if rest := end(t, r); rest != "" {
		t.Errorf("then comes %q", rest)
	}
	conn.Close()
	<-drained // it waits for nobody who is not there
}

// What has come and nobody has read yet is seen, however the connection is wrapped.
func TestPendingIsWhatNobodyHasRead(t *testing.T) {
	ln, err := port.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := (&sweptListener{TCPListener: ln}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := &screen{Conn: c, limit: 8 << 10, headerTime: patience}
	if pending(s) {
		t.Error("nothing has come")
	}
	if _, err := client.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { return pending(s) }) {
		t.Error("what has come is not seen")
	}
	// A part of a header counts for as long as one may take for it.
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		_, _ = s.Read(make([]byte, 1)) // until the end
	}()
	if !eventually(func() bool { return s.begun.Load() != 0 }) {
		t.Fatal("half a header has not begun")
	}
	s.begun.Store(time.Now().Add(time.Hour).UnixNano())
	if !pending(s) {
		t.Error("half a header is not seen")
	}
	s.begun.Store(time.Now().Add(-2 * headerGrace).UnixNano())
	if pending(s) {
		t.Error("half a header is waited for")
	}
	client.Close()
	<-reading
}

//go:build unix

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
)

// moody is a worker that does with each request what its path says, and closes
// kept connections now and then behind the proxy's back.
func moody(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	switch r.URL.Path {
	case "/abort":
		breakOff(w, r)
	case "/half":
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		_ = control.Flush()
		breakOff(w, r)
	case "/close":
		w.Header().Set("Connection", "close")
	case "/refuse":
		w.WriteHeader(http.StatusServiceUnavailable)
	case "/early": // it answers without reading the body
		fmt.Fprint(w, "early")
		return
	case "/hints":
		w.WriteHeader(http.StatusEarlyHints)
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
		return
	case "/large":
		_, _ = w.Write(make([]byte, 200<<10))
		return
	case "/chunks":
		for range 3 {
			fmt.Fprint(w, "chunk")
			_ = control.Flush()
		}
		return
	case "/behind": // the answer is whole and then the connection ends, unannounced
		conn, rw, err := control.Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbehind")
		_ = rw.Flush()
		return
	}
	_, _ = io.Copy(w, r.Body)
}

// Whatever workers and clients do, each request is answered, and none goes on
// counting as one that is in flight.
func TestProxyForgetsNobody(t *testing.T) {
	long := units.Duration(2 * patience) // nothing may wait for it
	f := newFront(t, Config{
		Timeouts: Timeouts{Connect: long, Answer: long, Idle: long, KeepAlive: long, Header: long},
		Passive:  Passive{FailTimeout: units.Duration(time.Millisecond)}, Retry: Retry{Attempts: 3},
	}, moody, moody, moody)
	const clients, each = 16, 60
	paths := []string{"/", "/abort", "/half", "/close", "/refuse", "/early", "/hints", "/empty", "/large", "/chunks", "/behind"}
	var answered, gaveUp atomic.Int64
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			transport := &http.Transport{ExpectContinueTimeout: 2 * patience, DisableKeepAlives: i%4 == 0}
			defer transport.CloseIdleConnections()
			for range each {
				path := paths[random.IntN(len(paths))]
				method, size := http.MethodGet, 0
				if random.IntN(3) == 0 {
					method, size = []string{http.MethodPost, http.MethodPut}[random.IntN(2)], []int{1, 1000, 100 << 10}[random.IntN(3)]
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				patient := random.IntN(8) != 0
				if !patient {
					time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, cancel)
				}
				r, err := http.NewRequestWithContext(ctx, method, "http://"+f.address+path, bytes.NewReader(make([]byte, size)))
				if err != nil {
					t.Error(err)
				}
				if size > 0 && random.IntN(2) == 0 {
					r.Header.Set("Expect", "100-continue")
				}
				var stuck atomic.Pointer[string] // who waits for what, while it still does
				stuck.Store(new(string))
				look := time.AfterFunc(patience/2, func() {
					all := make([]byte, 1<<20)
					text := string(all[:runtime.Stack(all, true)])
					stuck.Store(&text)
				})
				a, err := transport.RoundTrip(r)
				if err == nil {
					_, err = io.Copy(io.Discard, a.Body)
					a.Body.Close()
				}
				look.Stop()
				switch {
				case err == nil:
					answered.Add(1)
				case ctx.Err() == context.DeadlineExceeded:
					t.Errorf("%s %s with %d bytes is not answered: %v; while it waited:\n%s", method, path, size, err, *stuck.Load())
				case !patient:
					gaveUp.Add(1)
				}
				cancel()
			}
		})
	}
	// Workers that leave and come are part of it.
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			m := f.members[i%3]
			f.leave(m)
			f.members[i%3] = &member{slot: m.slot, port: m.port, entry: m.entry}
			f.join(f.members[i%3])
		}
	})
	wg.Wait()
	close(stop)
	changing.Wait()
	if !eventually(func() bool { return f.figures().inFlight == 0 && f.proxy.figures().conns == 0 }) {
		t.Errorf("at the end there are %+v", f.figures())
	}
	t.Logf("%d requests were answered, %d given up", answered.Load(), gaveUp.Load())
	if answered.Load() < clients*each/2 {
		t.Errorf("only %d of %d requests were answered", answered.Load(), clients*each)
	}
}

// A client that waits to be told to go on is answered if nobody wants its body.
func TestProxyAnswersWithoutTheBody(t *testing.T) {
	f := newFront(t, Config{Timeouts: Timeouts{Idle: units.Duration(2 * patience)}})
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || a.StatusCode != http.StatusServiceUnavailable || !a.Close {
		t.Errorf("it is answered %+v, %v", a, err)
	}
}

// A worker that closes its side of a kept connection, and goes on reading, is not
// sent another request there.
func TestProxyLeavesHalfClosedConnections(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepted atomic.Int64
	var serving sync.WaitGroup
	closed := make(chan struct{}, 8)
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			serving.Go(func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 4096)); err != nil {
					return
				}
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				_ = c.(*net.TCPConn).CloseWrite()
				closed <- struct{}{}
				_, _ = io.Copy(io.Discard, c) // and answers no more
			})
		}
	})
	f := newFront(t, Config{})
	f.join(&member{slot: 1, entry: new(page.Entry), port: ln.Addr().(*net.TCPAddr).Port})
	for range 3 {
		for _, method := range []string{"GET", "PUT"} {
			if status, answer := f.ask(method, "words"[:len(method)-3]); status != 200 || answer != "ok" {
				t.Errorf("%s: %d %q", method, status, answer)
			}
			<-closed
		}
	}
	if n := accepted.Load(); n != 6 {
		t.Errorf("6 requests came on %d connections", n)
	}
	f.close()
	ln.Close()
	serving.Wait()
}

//go:build unix

package loadgen

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// dialWire connects to a server and waits until it has said something.
func dialWire(t *testing.T, url string) *wire {
	t.Helper()
	host, port, err := net.SplitHostPort(strings.Trim(strings.TrimPrefix(url, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDialer(host, port)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.dial(t.Context(), clock.Now().Add(20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(s)
	t.Cleanup(func() { w.Close() })
	for deadline := clock.Now().Add(20 * time.Second); !w.peek() || w.peeker.idle; time.Sleep(time.Millisecond) {
		if clock.Now() > deadline {
			t.Fatal("the server said nothing")
		}
	}
	return w
}

// An answer that came while this process had no processor is no timeout, though
// its deadline has passed; what has not come is one.
func TestWhatHasComeIsReadAfterTheDeadline(t *testing.T) {
	w := dialWire(t, serve(t, func(c *net.TCPConn, _ int) {
		io.WriteString(c, answer)
		hold(c)
	}))
	if err := w.until(clock.Now().Add(-time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	r := newReply(false)
	var o outcome
	r.reader.Reset(w)
	r.expect(&request{method: "GET"}, &o)
	if err := r.read(); err != nil || o.status != 200 {
		t.Errorf("status %d, error %v", o.status, err)
	}
	for range 2 {
		if n, err := w.Read(make([]byte, 9)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d bytes where there are none, error %v", n, err)
		}
	}
}

// A server that goes on sending keeps nobody beyond the deadline.
func TestAnswerWithoutEndTimesOut(t *testing.T) {
	w := dialWire(t, serve(t, func(c *net.TCPConn, _ int) {
		for b := make([]byte, 1<<10); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}))
	if err := w.until(clock.Now().Add(-time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for reads := 0; ; reads++ {
		_, err := w.Read(make([]byte, 1))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || reads > maxLooks {
			t.Fatalf("after %d reads: %v", reads, err)
		}
	}
}

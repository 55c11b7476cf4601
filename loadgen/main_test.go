package loadgen

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// proberVar makes the test binary a prober.
const proberVar = "HACHAOS_TEST_PROBER"

func TestMain(m *testing.M) {
	if os.Getenv(proberVar) != "" {
		if err := RunProber(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	for role, play := range map[string]func(string) error{openVar: runOpen, vegetaVar: runVegeta} {
		if spec := os.Getenv(role); spec != "" {
			if err := play(spec); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Worker: 7\r\n\r\nhi"

// serve accepts connections on loopback until the test ends and gives each, with
// its number from 1, to handle in a goroutine of its own. It returns the URL.
func serve(t *testing.T, handle func(c *net.TCPConn, n int)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	conns := map[*net.TCPConn]bool{}
	wg.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tcp := c.(*net.TCPConn)
			mu.Lock()
			conns[tcp] = true
			mu.Unlock()
			wg.Go(func() {
				defer func() {
					tcp.Close()
					mu.Lock()
					delete(conns, tcp)
					mu.Unlock()
				}()
				handle(tcp, n)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String() + "/"
}

// readRequest reads a request without a body; false at the end.
func readRequest(c net.Conn) (string, bool) {
	var head []byte
	b := make([]byte, 4096)
	for !strings.HasSuffix(string(head), "\r\n\r\n") {
		n, err := c.Read(b)
		if head = append(head, b[:n]...); err != nil {
			return string(head), false
		}
	}
	return string(head), true
}

// always answers every request on a connection alike.
func always(response string) func(*net.TCPConn, int) {
	return func(c *net.TCPConn, _ int) {
		for {
			if _, ok := readRequest(c); !ok {
				return
			}
			if _, err := io.WriteString(c, response); err != nil {
				return
			}
		}
	}
}

// refusing returns the URL of a port that nobody listens on.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/"
}

func newGenerator(t *testing.T, o Options) *Generator {
	t.Helper()
	if o.Epoch == 0 {
		o.Epoch = clock.Now()
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// play runs a stream to its end and returns its recording, which must add up.
func play(t *testing.T, o Options) *Recording {
	t.Helper()
	g := newGenerator(t, o)
	if err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := g.Recording()
	mustAddUp(t, rec)
	return rec
}

// mustAddUp checks what is true of every recording whose stream has ended.
func mustAddUp(t *testing.T, r *Recording) {
	t.Helper()
	var failures, cellFailed, cellRetried, bucketOK, bucketFailed, statuses int64
	for _, n := range r.Failures {
		failures += n
	}
	for i, c := range r.Cells {
		cellFailed += int64(c.Failed)
		cellRetried += int64(c.Retried)
		if c.Finish < c.Start || i > 0 && compareCells(r.Cells[i-1], c) >= 0 {
			t.Errorf("cells out of order at %d: %+v", i, r.Cells)
		}
	}
	for _, b := range r.Timeline.Buckets {
		bucketOK += b.OK
		bucketFailed += b.Failed
	}
	for _, n := range r.Statuses {
		statuses += n
	}
	answered := r.OK + r.Failures[CauseStatus] + r.Failures[CauseExpectation]
	if r.Sent != r.OK+r.Failed || r.Failed != failures || r.Failed-r.Failures[CauseGenerator] != cellFailed || r.Retried != cellRetried ||
		r.OK != bucketOK || r.Failed != bucketFailed || r.OK != r.Latency.TotalCount() || r.OK != r.Service.TotalCount() || statuses != answered {
		t.Errorf("it does not add up: sent %d, ok %d, failed %d, retried %d; causes %d, cells %d and %d, buckets %d and %d, latencies %d, service %d, statuses %d",
			r.Sent, r.OK, r.Failed, r.Retried, failures, cellFailed, cellRetried, bucketOK, bucketFailed, r.Latency.TotalCount(), r.Service.TotalCount(), statuses)
	}
}

func seconds(s float64) units.Duration { return units.Duration(s * float64(time.Second)) }

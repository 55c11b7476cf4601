//go:build unix

package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hachaos/hachaos/targets/page"
)

// pausing is a body that comes in two parts, with a pause between.
type pausing struct {
	parts []string
	pause time.Duration
}

func (b *pausing) Read(p []byte) (int, error) {
	if len(b.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.parts[0])
	if b.parts[0] = b.parts[0][n:]; b.parts[0] == "" {
		if b.parts = b.parts[1:]; len(b.parts) > 0 {
			time.Sleep(b.pause)
		}
	}
	return n, nil
}

// A client that pauses its upload is not the worker's fault, whose time to answer
// begins when it has all.
func TestSlowUploadIsNotTheWorkersFault(t *testing.T) {
	for _, c := range []struct {
		what   string
		pause  time.Duration
		answer time.Duration // of the worker, after it has the body
		err    error
	}{
		{"a pause longer than a worker may take", 45 * time.Second, time.Second, nil},
		{"a pause and a slow worker", 29 * time.Second, 29 * time.Second, nil},
		{"a worker that takes too long", time.Second, 31 * time.Second, errSlow},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conf := Config{Workers: 1, Dispatch: "proxy"}
				conf.SetDefaults()
				p, err := newPool(conf, page.NewDesk(), 1, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				defer p.close()
				p.join(&member{slot: 1, entry: new(page.Entry)})
				here, worker := net.Pipe()
				defer here.Close()
				p.upstreams[0].transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return here, nil }
				var serving sync.WaitGroup
				defer serving.Wait()
				serving.Go(func() {
					defer worker.Close()
					r, err := http.ReadRequest(bufio.NewReader(worker))
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body) // one that breaks off is answered to nobody
					time.Sleep(c.answer)
					fmt.Fprint(worker, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
				})
				half := strings.Repeat("a", replayable)
				r, err := http.NewRequest(http.MethodPost, "http://test/", &pausing{[]string{half, half}, c.pause})
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = 2 * replayable
				a, err := (&retrier{pool: p, config: conf}).RoundTrip(r)
				if !errors.Is(err, c.err) {
					t.Fatalf("it ends in %v, want %v", err, c.err)
				}
				if err == nil {
					a.Body.Close()
				}
			})
		})
	}
}

package loadgen

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// h2Server serves HTTP/2 only, and returns its URL.
func h2Server(t *testing.T, secure bool, handle http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(handle)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP2(secure)
	srv.Config.Protocols.SetUnencryptedHTTP2(!secure)
	srv.EnableHTTP2 = secure
	if secure {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestHTTP2(t *testing.T) {
	for name, secure := range map[string]bool{"over TLS": true, "by prior knowledge": false} {
		t.Run(name, func(t *testing.T) {
			var wrong atomic.Int64
			var observed atomic.Int64
			url := h2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.ProtoMajor != 2 || r.URL.RequestURI() != "/a?b=%20c" || r.Header.Get("X-A") != "b" || string(body) != "ab" || r.Method != "PUT" {
					wrong.Add(1)
				}
				w.Header().Set("X-Worker", "7")
				io.WriteString(w, strings.Repeat("x", 20000)+"the end")
			})
			rec := play(t, Options{
				URL: url, HTTP2: true, TLS: &tls.Config{InsecureSkipVerify: true},
				Stream: Stream{Closed: &Closed{Concurrency: 3, Keepalive: true}, Count: 60, Requests: []Request{{
					Method: "PUT", Path: "/a?b=%20c", Headers: map[string]string{"X-A": "b"}, Body: "ab", Expect: Expect{Body: "the end"},
				}}},
				Observe: func(_ int, r *Result) {
					if r.Status == 200 && r.Body == 20007 && r.Kept && r.Latency > 0 && r.Wait >= 0 {
						observed.Add(1)
					}
				},
			})
			if rec.OK != 60 || wrong.Load() != 0 || rec.Workers["7"] != 60 || rec.Engine != "net/http h2" || observed.Load() != 60 {
				t.Errorf("%d good, %d arrived wrong, %d observed right, workers %v, engine %s, %v", rec.OK, wrong.Load(), observed.Load(), rec.Workers, rec.Engine, rec.Examples)
			}
		})
	}
}

func TestHTTP2Failures(t *testing.T) {
	release := make(chan bool)
	defer close(release)
	for _, c := range []struct {
		name  string
		cause Cause
		url   string
	}{
		{"status", CauseStatus, h2Server(t, false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })},
		{"expectation", CauseExpectation, h2Server(t, false, func(w http.ResponseWriter, _ *http.Request) {})},
		{"aborted", CauseReset, h2Server(t, false, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
		{"silent", CauseTimeout, h2Server(t, false, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})},
		{"refused", CauseRefused, refusing(t)},
		{"certificate", CauseTLS, h2Server(t, true, func(http.ResponseWriter, *http.Request) {})},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := seconds(20)
			if c.cause == CauseTimeout {
				timeout = seconds(0.3)
			}
			pause := seconds(0)
			rec := play(t, Options{URL: c.url, HTTP2: true, Stream: Stream{
				Closed: &Closed{Concurrency: 1, Keepalive: true}, Count: 3, Timeout: timeout, FailurePause: &pause,
				Requests: []Request{{Expect: Expect{Body: "never"}}},
			}})
			if rec.Failed != 3 || rec.Failures[c.cause] != 3 {
				t.Errorf("%d failed, %v, %v", rec.Failed, rec.Failures, rec.Examples)
			}
		})
	}
}

func TestHTTP2Abandoned(t *testing.T) {
	began := make(chan bool, 8)
	url := h2Server(t, false, func(_ http.ResponseWriter, r *http.Request) {
		began <- true
		<-r.Context().Done()
	})
	g := newGenerator(t, Options{URL: url, HTTP2: true, Stream: Stream{Closed: &Closed{Concurrency: 2, Keepalive: true}, Duration: seconds(60)}})
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- g.Run(ctx) }()
	<-began
	<-began
	cancel()
	select {
	case err := <-over:
		if err == nil || g.Recording().Sent != 0 {
			t.Errorf("%v, %d requests recorded", err, g.Recording().Sent)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}

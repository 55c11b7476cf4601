//go:build unix

package cluster

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// answerTo sends a request by r and returns the answer with its body read.
func answerTo(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	a, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(b)
}

// clientOver returns one that uses a transport and leaves nothing behind.
func clientOver(t *testing.T, transport *http.Transport) *http.Client {
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func get(t *testing.T, url string, cookies ...*http.Cookie) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func TestHealthChecksPassOverTheSick(t *testing.T) {
	var sick atomic.Bool
	first := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/well" && sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, "a")
	}
	quick := units.Duration(2 * time.Millisecond)
	f := newFront(t, Config{Dispatch: "proxy", Balance: "round-robin", Health: &Health{Path: "/well", Interval: quick, Timeout: units.Duration(patience), Fails: 2, Passes: 2}}, first, name("b"))
	healthy := func() bool { return f.figures().workers[0].healthy }
	turns := func() string {
		var all strings.Builder
		for range 4 {
			_, answer := f.ask("GET", "")
			all.WriteString(answer)
		}
		return all.String()
	}
	if got := turns(); strings.Count(got, "a") != 2 {
		t.Errorf("both well: %s", got)
	}
	sick.Store(true)
	if !eventually(func() bool { return !healthy() }) {
		t.Fatal("a worker that fails its checks is still in use")
	}
	if got := turns(); got != "bbbb" {
		t.Errorf("one sick: %s", got)
	}
	// The last one left is used although it is sick.
	f.leave(f.members[1])
	if _, answer := f.ask("GET", ""); answer != "a" {
		t.Errorf("alone it answers %q", answer)
	}
	sick.Store(false)
	if !eventually(healthy) {
		t.Error("a worker that passes its checks again is not used again")
	}
}

func TestHealthChecksAreBelieved(t *testing.T) {
	var sick atomic.Bool
	worker := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/well" && sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	quick := units.Duration(2 * time.Millisecond)
	f := newFront(t, Config{Dispatch: "proxy", Balance: "round-robin", Health: &Health{Path: "/well", Interval: quick, Timeout: units.Duration(patience), Fails: 2, Passes: 2, NoneLeft: "refuse"}}, worker, worker)
	asked := func() int {
		status, _ := f.ask("GET", "")
		return status
	}
	if got := asked(); got != http.StatusOK {
		t.Errorf("both well: %d", got)
	}
	sick.Store(true)
	if !eventually(func() bool { return asked() == http.StatusServiceUnavailable }) {
		t.Error("workers that fail their checks are still tried")
	}
	sick.Store(false)
	if !eventually(func() bool { return asked() == http.StatusOK }) {
		t.Error("workers that pass their checks again are not used again")
	}
}

func TestStickyByCookie(t *testing.T) {
	f := newFront(t, Config{Dispatch: "proxy", Balance: "round-robin", Workers: 3, Sticky: &Sticky{By: "cookie", Name: "worker", TTL: units.Duration(time.Hour), Path: "/app"}},
		name("1"), name("2"), name("3"))
	c := clientOver(t, &http.Transport{})
	url := "http://" + f.address + "/app"
	a, first := answerTo(t, c, get(t, url))
	if len(a.Cookies()) != 1 {
		t.Fatalf("the answer has %d cookies", len(a.Cookies()))
	}
	cookie := a.Cookies()[0]
	if cookie.Name != "worker" || cookie.Path != "/app" || cookie.MaxAge != 3600 || !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %+v", cookie)
	}
	for range 5 {
		if a, answer := answerTo(t, c, get(t, url, cookie)); answer != first || len(a.Cookies()) != 0 {
			t.Errorf("with the cookie of %s: %s, with %d new cookies", first, answer, len(a.Cookies()))
		}
	}
	// Whoever writes a cookie himself, or keeps one for too long, is nobody known.
	other := "1"
	if first == "1" {
		other = "2"
	}
	forged := *cookie
	forged.Value = strings.Replace(cookie.Value, first+".", other+".", 1)
	expired := *cookie
	expired.Value = f.sticky.sign(2, time.Now().Add(-time.Second))
	old := *cookie
	old.Value = f.sticky.sign(2, time.Now().Add(20*time.Minute))
	for what, bad := range map[string]*http.Cookie{"forged": &forged, "expired": &expired, "no": {Name: "worker", Value: "x"}} {
		if a, _ := answerTo(t, c, get(t, url, bad)); len(a.Cookies()) != 1 {
			t.Errorf("%s cookie: it was taken", what)
		}
	}
	if a, answer := answerTo(t, c, get(t, url, &old)); answer != "2" || len(a.Cookies()) != 1 {
		t.Errorf("an old cookie: %s, with %d new cookies", answer, len(a.Cookies()))
	}
	// Its worker goes: another one takes over, and keeps the client.
	f.leave(f.members[first[0]-'1'])
	a, second := answerTo(t, c, get(t, url, cookie))
	if second == first || len(a.Cookies()) != 1 {
		t.Fatalf("without its worker: %s, with %d new cookies", second, len(a.Cookies()))
	}
	for range 3 {
		if _, answer := answerTo(t, c, get(t, url, a.Cookies()[0])); answer != second {
			t.Errorf("%s took over, and then %s answers", second, answer)
		}
	}
}

func TestStickyByAddress(t *testing.T) {
	f := newFront(t, Config{Dispatch: "proxy", Sticky: &Sticky{By: "ip"}}, name("1"), name("2"), name("3"))
	_, first := f.ask("GET", "")
	for range 5 {
		if _, answer := f.ask("GET", ""); answer != first {
			t.Errorf("%s, then %s", first, answer)
		}
	}
}

func TestRateIsLimited(t *testing.T) {
	l := newLimiter(100, new(atomic.Int64))
	now := clock.Time(time.Hour)
	n := 0
	for range 100 {
		if _, ok := l.admit(now); ok {
			n++
		}
	}
	if n != 10 { // a tenth of a second's worth
		t.Errorf("%d requests came at once", n)
	}
	wait, ok := l.admit(now)
	if ok || wait <= 0 || wait > 10*time.Millisecond {
		t.Errorf("the next one waits %v", wait)
	}
	if _, ok := l.admit(now.Add(wait)); !ok {
		t.Error("after its wait it is refused")
	}
	if _, ok := newLimiter(0, nil).admit(now); !ok {
		t.Error("without a limit it is refused")
	}
	slow := newLimiter(0.1, new(atomic.Int64))
	if _, ok := slow.admit(now); !ok {
		t.Error("the first request of a slow rate is refused")
	}
	if wait, ok := slow.admit(now); ok || wait != 10*time.Second {
		t.Errorf("the second one waits %v", wait)
	}

	f := newFront(t, Config{Dispatch: "proxy", Limits: Limits{Rate: 0.001}}, name("served"))
	f.ask("GET", "")
	all := f.say("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(all, "HTTP/1.1 429 ") || !strings.Contains(all, "\r\nRetry-After: ") {
		t.Errorf("too many requests are answered %q", all)
	}
	if n := f.figures().refused["rate"]; n != 1 {
		t.Errorf("%d requests are counted as refused", n)
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	f := newFront(t, Config{Dispatch: "proxy", Limits: Limits{Connections: 1}}, name("served"))
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if !eventually(func() bool { return f.figures().conns == 1 }) {
		t.Fatal("a connection is not counted")
	}
	if all := f.say("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(all, "HTTP/1.1 503 ") {
		t.Errorf("one more is answered %q", all)
	}
	conn.Close()
	if !eventually(func() bool { return f.figures().conns == 0 }) {
		t.Fatal("a connection that has ended is counted")
	}
	if status, _ := f.ask("GET", ""); status != http.StatusOK {
		t.Errorf("after it: %d", status)
	}
}

func TestProxySpeaksTLS(t *testing.T) {
	f := newFront(t, Config{Dispatch: "proxy", TLS: &TLS{SelfSigned: true, MinVersion: "1.3"}, Sticky: &Sticky{By: "cookie"}}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"), " ", r.Header.Get("Via"))
	})
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(f.secure.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	for _, c := range []struct {
		h2   bool
		host string
		want string
	}{{true, f.address, "https 2.0 hachaos"}, {false, strings.Replace(f.address, "127.0.0.1", "localhost", 1), "https 1.1 hachaos"}} {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(!c.h2)
		protocols.SetHTTP2(c.h2)
		cl := clientOver(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: protocols})
		for range 2 {
			a, body := answerTo(t, cl, get(t, "https://"+c.host+"/"))
			if body != c.want || (a.ProtoMajor == 2) != c.h2 || len(a.Cookies()) != 1 || !a.Cookies()[0].Secure {
				t.Errorf("HTTP/2 %v: %s %q, cookies %v", c.h2, a.Proto, body, a.Cookies())
			}
		}
	}
	// What is refused without TLS is refused with it.
	conn, err := tls.Dial("tcp", f.address, &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(conn, "GET / HTTP/1.1\nHost: test\r\n\r\n")
	if all, _ := io.ReadAll(conn); !bytes.HasPrefix(all, []byte("HTTP/1.1 400 ")) {
		t.Errorf("a bare line feed: %q", all)
	}
	if c, err := tls.Dial("tcp", f.address, &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12}); err == nil {
		c.Close()
		t.Error("an old version was spoken")
	}
	// One that never shakes hands keeps nobody waiting, nor the end.
	silent, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
}

func TestProxySpeaksHTTP2WithoutTLS(t *testing.T) {
	f := newFront(t, Config{}, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c := clientOver(t, &http.Transport{Protocols: protocols})
	r, err := http.NewRequest(http.MethodPost, "http://"+f.address+"/", strings.NewReader("words"))
	if err != nil {
		t.Fatal(err)
	}
	if a, body := answerTo(t, c, r); a.ProtoMajor != 2 || body != "words" {
		t.Errorf("%s %q", a.Proto, body)
	}
}

// The limit of a header is the same for both versions of HTTP.
func TestHeadersAreLimited(t *testing.T) {
	f := newFront(t, Config{Limits: Limits{Header: 16 << 10}}, name("served"))
	const get = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nX: %s\r\n\r\n"
	room := 16<<10 - len(get) + len("%s")
	for length, want := range map[int]string{room: "200", room + 1: "431", room + 5000: "431", 100 << 10: "431"} {
		if all := f.say(fmt.Sprintf(get, strings.Repeat("a", length))); !strings.HasPrefix(all, "HTTP/1.1 "+want+" ") {
			t.Errorf("HTTP/1.1, a header of %d bytes: %.100q", 16<<10+length-room, all)
		}
	}
	fields := []field{{":method", "GET"}, {":scheme", "http"}, {":authority", "test"}, {":path", "/"}}
	if status := f.rawH2().ask("", append(fields, field{"x", strings.Repeat("a", 15<<10)})...); status != 200 {
		t.Errorf("HTTP/2, a header of 15 KiB: %d", status)
	}
	for range 5 {
		fields = append(fields, field{"x", strings.Repeat("a", 4<<10)})
	}
	if status := f.rawH2().ask("", fields...); status != 431 {
		t.Errorf("HTTP/2, a header of 20 KiB: %d", status)
	}
}

func TestCertificatesThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		certificate, key, err := selfSigned("")
		if err != nil {
			t.Fatal(err)
		}
		for ending, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: certificate}, ".key": {Type: "PRIVATE KEY", Bytes: key}} {
			if err := os.WriteFile(filepath.Join(dir, name+ending), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("a")
	write("b")
	file := func(name string) string { return filepath.Join(dir, name) }
	if _, err := tlsConfig(&TLS{Cert: file("a.crt"), Key: file("a.key")}, nil); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ cert, key, want string }{
		{"a.crt", "b.key", "private key does not match"},
		{"a.crt", "none.key", "no such file"},
		{"a.key", "a.key", "PEM"},
	} {
		_, err := tlsConfig(&TLS{Cert: file(c.cert), Key: file(c.key)}, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file(c.key)) {
			t.Errorf("%s with %s: %v", c.cert, c.key, err)
		}
	}
}

func TestEdgeMistakes(t *testing.T) {
	for _, c := range []struct {
		config Config
		paths  string
	}{
		{Config{Dispatch: "shared", Sticky: &Sticky{By: "ip"}}, "sticky"},
		{Config{Dispatch: "handoff", Health: &Health{}, TLS: &TLS{SelfSigned: true}, Limits: Limits{Rate: 1, Connections: 1}}, "health tls limits.rate limits.connections"},
		{Config{Dispatch: "handoff", Balance: "random", Retry: Retry{Attempts: 1}, Passive: Passive{MaxFails: 1}, Timeouts: Timeouts{Answer: 1}, Limits: Limits{Body: 1}}, "balance retry passive timeouts limits.body"},
		{Config{Dispatch: "reuseport", Retry: Retry{On: []string{"reset"}}, Limits: Limits{Header: 8 << 10}}, "retry"},
		{Config{Dispatch: "proxy", Balance: "round-robin", Weights: []int{1}, SlowStart: 1}, "weights slow_start"},
		{Config{Dispatch: "proxy", Balance: "random", Sticky: &Sticky{By: "ip"}}, "balance"},
		{Config{Dispatch: "proxy", Balance: "ip-hash", Weights: []int{2}, SlowStart: 1, Sticky: &Sticky{By: "ip"}}, ""},
		{Config{Dispatch: "proxy", Sticky: &Sticky{By: "luck", Name: "a b", TTL: 1, Path: "x"}}, "sticky.by sticky.name sticky.ttl sticky.path"},
		{Config{Dispatch: "proxy", Health: &Health{Path: "x", Interval: -1, Timeout: -1, Fails: -1, Passes: -1, NoneLeft: "hope"}}, "health.path health.interval health.timeout health.fails health.passes health.none_left"},
		{Config{Dispatch: "proxy", TLS: &TLS{}}, "tls"},
		{Config{Dispatch: "proxy", TLS: &TLS{Cert: "a"}}, "tls"},
		{Config{Dispatch: "proxy", TLS: &TLS{Cert: "a", Key: "b", SelfSigned: true, MinVersion: "1.1"}}, "tls.self_signed tls.min_version"},
		{Config{Dispatch: "proxy", Limits: Limits{Rate: -1, Connections: -1}}, "limits.rate limits.connections"},
		{Config{Dispatch: "proxy", Workers: 2, Weights: []int{1, 0}}, "weights[1]"},
		{Config{Queue: Queue{Size: -1, Timeout: -1}, MaxInFlight: -1}, "queue.size queue.timeout max_in_flight"},
		{Config{Dispatch: "proxy", Sticky: &Sticky{By: "cookie"}, Health: &Health{}, TLS: &TLS{Cert: "a", Key: "b"}, Limits: Limits{Rate: 1, Connections: 1}}, ""},
	} {
		c.config.SetDefaults()
		var paths []string
		c.config.Check(func(path, _ string) { paths = append(paths, path) })
		if got := strings.Join(paths, " "); got != c.paths {
			t.Errorf("%+v: mistakes at %q, want %q", c.config, got, c.paths)
		}
	}
}

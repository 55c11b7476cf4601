//go:build unix

package cluster

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/port"
)

// front is a proxy before servers of this process.
type front struct {
	*proxy
	t       *testing.T
	address string
	members []*member
}

func newFront(t *testing.T, c Config, servers ...http.HandlerFunc) *front {
	t.Helper()
	return newFrontAt(t, page.NewDesk(), c, servers...)
}

// newFrontAt is newFront for a proxy that may not be the only one.
func newFrontAt(t *testing.T, desk *page.Desk, c Config, servers ...http.HandlerFunc) *front {
	t.Helper()
	// A busy machine must not look like a worker that cannot be reached.
	c.Timeouts.Connect = cmp.Or(c.Timeouts.Connect, units.Duration(patience))
	c.Timeouts.Answer = cmp.Or(c.Timeouts.Answer, units.Duration(patience))
	c.SetDefaults()
	ln, err := port.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{t: t, address: ln.Addr().String()}
	if f.proxy, err = newProxy(ln, c, new(secrets), counts(t), desk, 1, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for i, handler := range servers {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		f.members = append(f.members, &member{entry: new(page.Entry), slot: i + 1, port: s.Listener.Addr().(*net.TCPAddr).Port})
		f.join(f.members[i])
	}
	f.open()
	t.Cleanup(f.close)
	return f
}

// counts is where a test's requests are counted.
func counts(t *testing.T) *page.Requests {
	t.Helper()
	p, err := page.Create(filepath.Join(t.TempDir(), "page"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p.Requests(0)
}

func name(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }
}

// readAll answers once it has read the body.
func readAll(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusEarlyHints)
	_, _ = io.Copy(io.Discard, r.Body)
	fmt.Fprint(w, "served")
}

func breakOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// say sends bytes and returns all that comes back until the end.
func (f *front) say(text string) string {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		f.t.Fatal(err)
	}
	all, _ := io.ReadAll(conn) // a reset after the answer is an end too
	return string(all)
}

func (f *front) ask(method, body string) (status int, answer string) {
	f.t.Helper()
	all := f.say(fmt.Sprintf("%s / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", method, len(body), body))
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(all)), nil)
	if err != nil {
		f.t.Fatalf("%q: %v", all, err)
	}
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

func TestProxyTellsWhoAsks(t *testing.T) {
	var asked atomic.Pointer[http.Request]
	f := newFront(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r)
		w.Header().Set("Keep-Alive", "timeout=5")
	})
	all := f.say("GET /path?a=b;c HTTP/1.1\r\nHost: example.org\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: gzip\r\nX-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na")
	got := asked.Load()
	if got == nil {
		t.Fatalf("the worker was not asked: %s", all)
	}
	for header, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "example.org",
		"Via": "1.1 hachaos", "X-Hop": "", "Te": "", "Expect": "",
	} {
		if v := got.Header.Get(header); v != want {
			t.Errorf("the worker is told %s: %q, want %q", header, v, want)
		}
	}
	if got.Host != "example.org" || got.URL.Path != "/path" {
		t.Errorf("the worker is asked for %s at %s", got.URL, got.Host)
	}
	if !strings.Contains(all, "\r\nVia: 1.1 hachaos\r\n") || strings.Contains(all, "Keep-Alive") {
		t.Errorf("the client is told %s", all)
	}
}

func TestProxyRefusesWhatCanBeReadInTwoWays(t *testing.T) {
	f := newFront(t, Config{}, readAll)
	const get = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
	for what, text := range map[string]string{
		"both lengths":         "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":          "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"a signed length":      "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: +1\r\n\r\na",
		"a bare line feed":     "GET / HTTP/1.1\nHost: test\r\n\r\n",
		"bare ends":            "GET / HTTP/1.1\r\nHost: test\n\n",
		"a bare return":        "GET / HTTP/1.1\r\nHost: test\r\nX: a\rb\r\n\r\n",
		"a folded line":        "GET / HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n",
		"a space before colon": "POST / HTTP/1.1\r\nHost: test\r\nContent-Length : 5\r\n\r\nabcde",
		"an unknown encoding":  "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"no host":              "GET / HTTP/1.1\r\n\r\n",
		"a path in the host":   "GET / HTTP/1.1\r\nHost: test/path\r\n\r\n",
		"a huge header":        "GET / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("a", 20<<10) + "\r\n\r\n",
		"chunks in HTTP/1.0":   "POST / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + get,
		"the second of two":    "GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\nHost: test\r\n\r\n",
	} {
		all := f.say(text)
		status, _, _ := strings.Cut(strings.TrimPrefix(all, "HTTP/1.1 "), " ")
		served := strings.Count(all, "served")
		want := 0
		if what == "the second of two" {
			want, status = 1, all[strings.LastIndex(all, "HTTP/1.1 ")+9:][:3]
		}
		if n, err := strconv.Atoi(status); err != nil || n < 400 || n > 501 || served != want {
			t.Errorf("%s: %q", what, all)
		}
		if all := f.say(get); !strings.Contains(all, "served") {
			t.Fatalf("after %s: %q", what, all)
		}
	}
	// What is behind a chunked body, or a wish to upgrade, is not looked at, so it is
	// not served, whoever answers and on whatever way.
	own := http.NewServeMux()
	own.HandleFunc("/health", readAll)
	f.own.Store(own)
	limited := newFront(t, Config{Limits: Limits{Rate: 0.001, Body: 1}}, readAll)
	limited.ask("GET", "") // it takes what the rate allows
	narrow := newFront(t, Config{Limits: Limits{Body: 1}}, readAll)
	const chunked = "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
	for what, c := range map[string]struct {
		front *front
		text  string
	}{
		"chunks":                      {f, "POST / HTTP/1.1\r\nHost: test\r\n" + chunked},
		"chunks that were waited for": {f, "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n" + chunked},
		"an upgrade":                  {f, "GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"},
		"an upgrade by half":          {f, "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: x\r\n\r\n"},
		"an upgrade to nothing":       {f, "GET / HTTP/1.1\r\nHost: test\r\nUpgrade:\r\n\r\n"},
		"an upgrade of HTTP/1.0":      {f, "GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\nUpgrade: x\r\n\r\n"},
		"an upgrade of the master":    {f, "GET /health HTTP/1.1\r\nHost: test\r\nUpgrade: x\r\n\r\n"},
		"an upgrade of everything":    {f, "OPTIONS * HTTP/1.1\r\nHost: test\r\nUpgrade: x\r\n\r\n"},
		"an upgrade too many":         {limited, "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: x\r\n\r\n"},
		"an upgrade with too much":    {narrow, "POST / HTTP/1.1\r\nHost: test\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab"},
	} {
		all := c.front.say(c.text + get)
		if n := strings.Count(all, "\r\nConnection: close\r\n"); n != 1 || strings.Count(all, "\r\nDate: ") != 1 {
			t.Errorf("a request behind %s: %q", what, all)
		}
	}
	// Of requests in a row each is served.
	if all := f.say("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc" + get); strings.Count(all, "served") != 2 {
		t.Errorf("two requests in a row: %q", all)
	}
}

func TestProxyDoesNotWaitForSlowClients(t *testing.T) {
	short := units.Duration(50 * time.Millisecond)
	f := newFront(t, Config{Timeouts: Timeouts{Header: short, Idle: short}}, name("served"))
	if all := f.say("GET / HTTP/1.1\r\nHo"); strings.Contains(all, "200") {
		t.Errorf("half a header: %q", all)
	}
	if all := f.say("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab"); !strings.HasPrefix(all, "HTTP/1.1 408 ") {
		t.Errorf("half a body: %q", all)
	}
}

func TestProxyLimitsBodies(t *testing.T) {
	f := newFront(t, Config{Limits: Limits{Body: 10}}, name("served"))
	if status, _ := f.ask("POST", "0123456789"); status != 200 {
		t.Errorf("a body at the limit: %d", status)
	}
	if status, _ := f.ask("POST", "0123456789a"); status != 413 {
		t.Errorf("a body over the limit: %d", status)
	}
	if all := f.say("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n"); !strings.HasPrefix(all, "HTTP/1.1 413 ") {
		t.Errorf("a chunked body over the limit: %q", all)
	}
}

func TestProxyTriesAnother(t *testing.T) {
	unavailable := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	slow := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the end of the connection is not seen
		<-r.Context().Done()
	}
	half := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		breakOff(w, r)
	}
	echo := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }
	quick := Timeouts{Answer: units.Duration(100 * time.Millisecond)}
	for _, c := range []struct {
		what            string
		first           http.HandlerFunc
		method          string
		retry           Retry
		status, status1 int // without and with a second worker
	}{
		{"a reset", breakOff, "PUT", Retry{}, 502, 200},
		{"an answer that breaks off", half, "GET", Retry{}, 502, 200},
		{"a refusal", unavailable, "GET", Retry{}, 503, 200},
		{"a hang", slow, "GET", Retry{}, 504, 200},
		{"what is not idempotent", breakOff, "POST", Retry{}, 502, 502},
		{"no retry", breakOff, "GET", Retry{Attempts: 1}, 502, 502},
		{"what is not to be tried again", unavailable, "GET", Retry{On: []string{"reset"}}, 503, 503},
	} {
		conf := Config{Retry: c.retry, Balance: "round-robin", Timeouts: Timeouts{Answer: units.Duration(patience)}}
		if c.what == "a hang" {
			conf.Timeouts = quick
		}
		if status, _ := newFront(t, conf, c.first).ask(c.method, "words"); status != c.status {
			t.Errorf("%s, with one worker: %d, want %d", c.what, status, c.status)
		}
		f := newFront(t, conf, c.first, echo)
		status, answer := f.ask(c.method, "words")
		if status != c.status1 || status == 200 && answer != "words" {
			t.Errorf("%s, with two workers: %d %q, want %d", c.what, status, answer, c.status1)
		}
		var want int64 // of the one that failed
		if status == 200 {
			want = 1
		}
		if first, second := f.members[0].entry.Resent.Load(), f.members[1].entry.Resent.Load(); first != want || second != 0 {
			t.Errorf("%s: %d and %d requests were sent again, want %d and 0", c.what, first, second, want)
		}
	}
	if status, _ := newFront(t, Config{}).ask("GET", ""); status != 503 {
		t.Errorf("without a worker: %d", status)
	}
}

// A worker that goes while a request is on its way to it has not failed.
func TestProxyForgivesWhoLeaves(t *testing.T) {
	f := newFront(t, Config{Balance: "round-robin", Retry: Retry{Attempts: 1}}, name("a"), name("b"))
	leaves, left := f.members[0], f.pool.upstreams[0]
	left.lines.dial = func(context.Context) (net.Conn, error) {
		f.leave(leaves)
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	if status, answer := f.ask("GET", ""); status != 200 || answer != "b" {
		t.Errorf("%d %q", status, answer)
	}
	if !left.leaving {
		t.Error("it was not asked first")
	}
	if n := leaves.entry.Resent.Load(); n != 0 || f.figures().retries != 0 {
		t.Errorf("%d requests count as sent again because of it, %d in all", n, f.figures().retries)
	}
}

// One that takes a request with it has, even if it counts as gone by the time the
// request would have been sent to it once more.
func TestProxyCountsWhatIsLostWithAWorker(t *testing.T) {
	var asked atomic.Int64
	dies := func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	}
	f := newFront(t, Config{Balance: "round-robin"}, dies, name("b"))
	dying, died := f.members[0], f.pool.upstreams[0]
	if status, _ := f.ask("GET", ""); status != 200 || asked.Load() != 1 {
		t.Fatalf("%d", status)
	}
	f.ask("GET", "") // the other one's turn
	died.lines.dial = func(context.Context) (net.Conn, error) {
		f.leave(dying)
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	if status, answer := f.ask("GET", ""); status != 200 || answer != "b" || asked.Load() != 2 {
		t.Errorf("%d %q", status, answer)
	}
	if n := dying.entry.Resent.Load(); n != 1 || f.figures().retries != 1 {
		t.Errorf("%d requests count as sent again because of it, %d in all", n, f.figures().retries)
	}
}

func TestProxyPassesOverWhoFails(t *testing.T) {
	var asked atomic.Int64
	f := newFront(t, Config{Balance: "round-robin", Passive: Passive{MaxFails: 2, FailTimeout: units.Duration(time.Hour)}},
		func(w http.ResponseWriter, r *http.Request) { asked.Add(1); breakOff(w, r) }, name("b"))
	for range 20 {
		if status, answer := f.ask("GET", ""); status != 200 || answer != "b" {
			t.Fatalf("%d %q", status, answer)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the one that fails was asked %d times, want 2", n)
	}
	// The last one left is tried although it fails.
	f.leave(f.members[1])
	if f.ask("GET", ""); asked.Load() == 2 {
		t.Error("the last one was not tried")
	}
}

func TestProxyUsesBackupsLast(t *testing.T) {
	f := newFront(t, Config{Workers: 3, Backup: []int{3}, Balance: "round-robin"}, name("a"), name("b"), name("c"))
	shares := map[string]int{}
	for range 10 {
		_, answer := f.ask("GET", "")
		shares[answer]++
	}
	if shares["a"] != 5 || shares["b"] != 5 {
		t.Errorf("shares %v", shares)
	}
	f.leave(f.members[0])
	f.leave(f.members[1])
	if _, answer := f.ask("GET", ""); answer != "c" {
		t.Errorf("without the others %q answers", answer)
	}
}

func TestProxyTunnelsWebSockets(t *testing.T) {
	f := newFront(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			w.WriteHeader(400)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		line, _ := rw.ReadString('\n')
		fmt.Fprint(conn, "echo "+line)
	})
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	reader := bufio.NewReader(conn)
	if r, err := http.ReadResponse(reader, nil); err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %+v, %v", r, err)
	}
	fmt.Fprint(conn, "frame\n") // a client waits for the answer before (RFC 6455 §4.1)
	if line, err := reader.ReadString('\n'); line != "echo frame\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestProxyKeepsConnectionsToWorkers(t *testing.T) {
	var peers sync.Map
	f := newFront(t, Config{}, func(_ http.ResponseWriter, r *http.Request) { peers.Store(r.RemoteAddr, true) })
	for range 10 {
		f.ask("GET", "")
	}
	n := 0
	for range peers.Range {
		n++
	}
	if n != 1 {
		t.Errorf("10 requests in a row took %d connections", n)
	}
}

// Real workers, killed again and again under load: nothing is lost.
func TestProxyLosesNothingToKills(t *testing.T) {
	for _, keepalive := range []bool{false, true} {
		t.Run(fmt.Sprintf("keepalive=%v", keepalive), func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(3, "proxy", time.Millisecond)})
			l := f.load(8, keepalive)
			for kill := range 6 {
				if !l.after(100) {
					t.Fatal("no load")
				}
				f.signal(f.id(kill%3+1), "SIGKILL")
				f.await("the replacement", func(s Status) bool { return s.Ready == 3 })
			}
			l.lostNothing(t, 0)
		})
	}
}

package bench

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

// TestBadServers lets servers misbehave: each failure has the right cause, comes
// within the deadline, and costs no memory.
func TestBadServers(t *testing.T) {
	endless := func(head string) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := io.WriteString(c, head); err != nil {
				return
			}
			piece := strings.Repeat("x", 64<<10)
			for {
				if _, err := io.WriteString(c, piece); err != nil {
					return
				}
			}
		}
	}
	then := func(text string, next func(net.Conn)) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := io.WriteString(c, text); err == nil {
				next(c)
			}
		}
	}
	const long, brief = 60 * time.Second, short
	for name, s := range map[string]struct {
		handle  func(net.Conn)
		timeout time.Duration
		cause   loadgen.Cause
	}{
		"garbage":                {says("\x00\x01 this is no HTTP"), long, loadgen.CauseOther},
		"a header of 10 MB":      {says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 10<<20)), long, loadgen.CauseOther},
		"an endless header":      {endless("HTTP/1.1 200 OK\r\nX: "), long, loadgen.CauseOther},
		"endless header fields":  {endless("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<17)), long, loadgen.CauseOther},
		"an endless body":        {endless("HTTP/1.1 200 OK\r\n\r\n"), brief, loadgen.CauseTimeout},
		"a body of 8 EiB":        {endless("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n"), brief, loadgen.CauseTimeout},
		"a length that overflow": {says("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n"), long, loadgen.CauseOther},
		"a chunk that overflows": {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx"), long, loadgen.CauseOther},
		"a chunk of -1":          {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx"), long, loadgen.CauseOther},
		"half an answer":         {says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), long, loadgen.CauseClosed},
		"half and then silence":  {then("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", silent), brief, loadgen.CauseTimeout},
		"half a header, silence": {then("HTTP/1.1 200 OK\r\nContent-", silent), brief, loadgen.CauseTimeout},
		"silence":                {silent, brief, loadgen.CauseTimeout},
		"nothing but an end":     {says(""), long, loadgen.CauseClosed},
		"endless interim":        {endless(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1<<12)), long, loadgen.CauseOther},
		"a redirect loop":        {says("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), long, loadgen.CauseNone},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			out, _ := mustPlay(t, Options{Requests: 4, Concurrency: 2, KeepAlive: true, GoOn: true, NoProbe: true, Timeout: s.timeout}, serve(t, s.handle))
			runtime.ReadMemStats(&after)
			rec := out.Recording
			if s.cause == loadgen.CauseNone {
				if rec.OK != 4 || rec.Statuses[302] != 4 || out.Figures.Non2xx != 4 || out.Figures.Failed() != 0 {
					t.Errorf("%d good, statuses %v, %d not 2xx: a redirect is an answer, and not followed", rec.OK, rec.Statuses, out.Figures.Non2xx)
				}
				return
			}
			if rec.Failed != 4 || rec.Failures[s.cause] != 4 || out.Figures.Failed() != 4 || out.Figures.Complete != 4 {
				t.Errorf("%d failed, %d of %s, %v; ab's report says %d of %d", rec.Failed, rec.Failures[s.cause], s.cause, rec.Examples, out.Figures.Failed(), out.Figures.Complete)
			}
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// TestFirstSocketErrorEndsIt unless it is told to go on.
func TestFirstSocketErrorEndsIt(t *testing.T) {
	url := serve(t, says("HTTP/1.1 200 OK\r\n"))
	out, _ := mustPlay(t, Options{Requests: 1_000_000, Concurrency: 2, NoProbe: true}, url)
	if out.Broken == nil || !strings.HasPrefix(out.Broken.Error(), "closed: ") || out.Recording.Sent > 100 {
		t.Errorf("%v after %d requests", out.Broken, out.Recording.Sent)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	out, _ = mustPlay(t, Options{Requests: 1_000_000, Concurrency: 500, NoProbe: true}, "http://"+ln.Addr().String()+"/")
	if out.Broken == nil || !strings.HasPrefix(out.Broken.Error(), "refused: ") || out.Recording.Sent != 1 {
		t.Errorf("%v after %d requests", out.Broken, out.Recording.Sent)
	}
	out, _ = mustPlay(t, Options{Requests: 20, Concurrency: 2, NoProbe: true, GoOn: true}, url)
	if out.Broken != nil || out.Recording.Failed != 20 {
		t.Errorf("-r: %v after %d requests", out.Broken, out.Recording.Failed)
	}
}

func TestBadCommandLines(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const url = "http://127.0.0.1:1/"
	body := file("body", "x")
	for _, c := range []struct {
		url  string
		o    Options
		want string
	}{
		{"", Options{}, "a URL is missing"},
		{"http://127.0.0.1:1/a b", Options{}, "holds a space"},
		{"ftp://127.0.0.1/", Options{}, "scheme ftp is not known"},
		{"http:///path", Options{}, "has no host"},
		{"http://[::1/", Options{}, "cannot be read"},
		{"http://127.0.0.1:port/", Options{}, "cannot be read"},
		{"http://127.0.0.1:65536/", Options{}, "65536"},
		{"http://user:secret@[bad/", Options{}, "cannot be read"},
		{"http://127.0.0.1/%zz", Options{}, "cannot be read"},
		{"http://example.test/", Options{}, "not loopback"},
		{"http://10.0.0.1/", Options{}, "--allow-remote"},
		{"http://127.0.0.1.example.test/", Options{}, "not loopback"},
		{"http://hé/", Options{AllowRemote: true}, "not ASCII"},
		{url, Options{Requests: 3, Concurrency: 10}, "-c 10 is above -n 3"},
		{url, Options{Concurrency: 10}, "without -n or -t"},
		{url, Options{PostFile: filepath.Join(dir, "none")}, "no such file"},
		{url, Options{PostFile: dir}, "directory"},
		{url, Options{PostFile: body, PutFile: body}, "one body"},
		{url, Options{Head: true, PostFile: body}, "-i"},
		{url, Options{Head: true, Method: "PUT"}, "-m"},
		{url, Options{Method: "BAD METHOD"}, "not a method"},
		{url, Options{Method: "CONNECT"}, "tunnel"},
		{url, Options{Headers: []string{"no colon"}}, "-H"},
		{url, Options{Headers: []string{"A B: c"}}, "not a token"},
		{url, Options{Headers: []string{"A: b\r\nC: d"}}, "line break"},
		{url, Options{Headers: []string{"Content-Length: 5"}}, "cannot be set"},
		{url, Options{Cookies: []string{"a\nb"}}, "line break"},
		{url, Options{ContentType: "a\nb", PostFile: body}, "line break"},
		{url, Options{Bind: "localhost"}, "not an address"},
		{url, Options{Proxy: "nowhere"}, "not host:port"},
		{url, Options{Proxy: "example.test:80"}, "the proxy example.test is not loopback"},
		{url, Options{ProxyAuth: "u:p"}, "-X"},
		{url, Options{Protocol: "SSL3"}, "-f SSL3"},
		{url, Options{Ciphers: "RC5"}, "-Z RC5"},
		{url, Options{CertFile: body}, "certificate"},
		{url, Options{CA: body}, "no certificate"},
		{url, Options{CA: filepath.Join(dir, "none")}, "no such file"},
		{url, Options{CA: body, Insecure: true}, "--ca"},
		{url, Options{Key: body}, "--cert"},
		{url, Options{NoSNI: true, SNI: "x"}, "--sni"},
		{url, Options{Rate: 10, Ramp: "1..2"}, "choose one"},
		{url, Options{Rate: 10, RampUp: time.Second}, "--ramp-up is for the clients"},
		{url, Options{Ramp: "up"}, "FROM..TO"},
		{url, Options{Rate: 1e9}, "cannot be scheduled"},
		{url, Options{Until: "p99 < fast"}, "--until"},
		{url, Options{Until: "uptime > 1%"}, "uptime"},
		{url, Options{Until: "main.p99 < 5ms"}, "leave out"},
		{url, Options{Until: "share-1 >= 10%"}, "workers only"},
		{url, Options{Until: "throughput >= 5/s"}, "rises with the rate"},
		{url, Options{Until: "p99 < 5ms", Rate: 5}, "leave out --rate"},
		{url, Options{Until: "p99 < 5ms", Requests: 5}, "leave out -n"},
		{url, Options{Until: "p99 < 5ms", Gnuplot: "g.tsv"}, "leave out -g"},
		{url, Options{Until: "p99 < 5ms", CSV: "e.csv"}, "leave out -g and -e"},
		{url, Options{Until: "p99 < 5ms", HTML: true}, "leave out -w"},
		{url, Options{Until: "p99 < 5ms", Table: "border=1"}, "-x, -y and -z"},
		{url, Options{Until: "p99 < 5ms", Verbosity: 2}, "leave out -v"},
		{"", Options{Targets: filepath.Join(dir, "none")}, "no such file"},
		{"", Options{Targets: file("empty", "")}, "target"},
		{"", Options{Targets: file("bad", "GET\n")}, "target 1"},
		{"", Options{Targets: file("other", "GET http://127.0.0.1:1/\n\nGET http://127.0.0.1:2/\n")}, "another server"},
		{"", Options{Targets: file("remote", "GET http://example.test/\n")}, "not loopback"},
		{url, Options{Targets: body, Head: true}, "--targets"},
		{url, Options{HTTP2: true, Proxy: "127.0.0.1:1"}, "--h2"},
	} {
		_, err := c.o.Config(c.url)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q, %+v: %v, want %q", c.url, c.o, err, c.want)
		}
	}
}

func TestGoodURLs(t *testing.T) {
	for url, want := range map[string]struct{ host, port, path string }{
		"http://127.0.0.1:8080":        {"127.0.0.1", "8080", "/"},
		"127.0.0.1:8080/a":             {"127.0.0.1", "8080", "/a"},
		"localhost/":                   {"localhost", "80", "/"},
		"https://localhost":            {"localhost", "443", "/"},
		"http://[::1]:8080/?a=b":       {"::1", "8080", "/?a=b"},
		"http://u:p@127.0.0.1:1/x#end": {"127.0.0.1", "1", "/x"},
		"HTTP://LOCALHOST:1/%41":       {"LOCALHOST", "1", "/%41"},
	} {
		c := mustConfig(t, Options{}, url)
		if p := c.Page; p.Host != want.host || p.Port != want.port || p.Path != want.path {
			t.Errorf("%s: %q %q %q", url, p.Host, p.Port, p.Path)
		}
	}
}

func TestHostThatDoesNotResolve(t *testing.T) {
	out, _ := mustPlay(t, Options{Requests: 3, GoOn: true, NoProbe: true, AllowRemote: true}, "http://no-such-host.invalid/")
	if rec := out.Recording; rec.Failures[loadgen.CauseDNS] != 3 {
		t.Errorf("%v, %v", rec.Failures, rec.Examples)
	}
}

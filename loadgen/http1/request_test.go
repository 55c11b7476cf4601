package http1

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAppendRequestIsReadByNetHTTP(t *testing.T) {
	for _, c := range []struct {
		method, body string
		length       int64
	}{{"GET", "", 0}, {"POST", "", 0}, {"POST", "a=b", 3}, {"GET", "xy", 2}, {"DELETE", "", 0}} {
		raw, err := AppendRequest(nil, c.method, "/a?b=%20", []Field{{"Host", "example.test"}, {"X-Tab", "a\tb"}}, c.body)
		if err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(strings.NewReader(string(raw)))
		req, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil || req.Method != c.method || req.RequestURI != "/a?b=%20" || req.Host != "example.test" || req.Header.Get("X-Tab") != "a\tb" || string(body) != c.body || req.ContentLength != c.length {
			t.Errorf("%q was read as %+v with body %q, %v", raw, req, body, err)
		}
		if br.Buffered() != 0 {
			t.Errorf("%q: %d bytes too many", raw, br.Buffered())
		}
	}
}

func TestAppendRequestRefusesInjection(t *testing.T) {
	host := Field{"Host", "x"}
	for _, c := range []struct {
		method, target string
		field          Field
	}{
		{"GET /", "/", host}, {"", "/", host}, {"GE\r\nT", "/", host},
		{"GET", "", host}, {"GET", "/ x", host}, {"GET", "/\r\nX: y", host}, {"GET", "/é", host},
		{"GET", "/", Field{"", "x"}}, {"GET", "/", Field{"A B", "x"}}, {"GET", "/", Field{"A:", "x"}},
		{"GET", "/", Field{"A", "x\r\nB: y"}}, {"GET", "/", Field{"A", "x\ny"}}, {"GET", "/", Field{"A", "x\x00"}}, {"GET", "/", Field{"A", " x"}},
		{"GET", "/", Field{"Content-Length", "3"}}, {"GET", "/", Field{"transfer-encoding", "chunked"}},
	} {
		if raw, err := AppendRequest(nil, c.method, c.target, []Field{c.field}, ""); err == nil || len(raw) != 0 {
			t.Errorf("%+v was written as %q, %v", c, raw, err)
		}
	}
}

func TestHasControlSeesEveryByteEverywhere(t *testing.T) {
	for c := range 256 {
		for at := range 17 {
			b := []byte("abcdefgh\xe9\xffijklmno")
			b[at] = byte(c)
			if want := c < ' ' && c != '\t' || c == 0x7f; hasControl(b) != want {
				t.Fatalf("byte %#x at %d: %v", c, at, !want)
			}
		}
	}
}

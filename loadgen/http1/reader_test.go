package http1

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// outcome is what a client learns from one exchange.
type outcome struct {
	res  Response
	body string
	err  error
	rest string // what was left unread of the source
}

func read(r *Reader, src io.Reader, method string) outcome {
	r.Reset(src)
	return next(r, src, method)
}

func next(r *Reader, src io.Reader, method string) (o outcome) {
	for o.res, o.err = r.Next(method); o.err == ErrWait; {
		o.res, o.err = r.Next(method)
	}
	if o.err != nil {
		return o
	}
	var body bytes.Buffer
	for {
		b, err := r.Body()
		if err == ErrWait {
			continue
		}
		body.Write(b)
		if err == io.EOF {
			break
		}
		if err != nil {
			o.err = err
			break
		}
	}
	o.body = body.String()
	if w, ok := src.(*waiting); ok {
		src = w.src
	}
	rest, _ := io.ReadAll(src)
	o.rest = string(r.buf[r.at:r.end]) + string(rest)
	return o
}

// waiting is a source that has nothing every other time it is asked, and else one
// byte.
type waiting struct {
	src   io.Reader
	ready bool
}

func (w *waiting) Read(b []byte) (int, error) {
	if w.ready = !w.ready; w.ready {
		return 0, ErrWait
	}
	return w.src.Read(b[:min(1, len(b))])
}

var wellFormed = []struct {
	name, method, in string
	want             Response
	body, rest       string
}{
	{name: "length", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellorest", want: Response{200, 1, 5, false}, body: "hello", rest: "rest"},
	{name: "no reason", in: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", want: Response{200, 1, 0, false}},
	{name: "bare line feeds", in: "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", want: Response{200, 1, 1, false}, body: "x"},
	{name: "same length twice", in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length:1 \r\n\r\nx", want: Response{200, 1, 1, false}, body: "x"},
	{name: "until close", in: "HTTP/1.1 200 OK\r\n\r\nall of it", want: Response{200, 1, -1, true}, body: "all of it"},
	{name: "connection close", in: "HTTP/1.1 200 OK\r\nConnection: foo , Close\r\nContent-Length: 0\r\n\r\n", want: Response{200, 1, 0, true}},
	{name: "1.0", in: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", want: Response{200, 0, 2, true}, body: "ab"},
	{name: "1.0 keep-alive", in: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nabc", want: Response{200, 0, 2, false}, body: "ab", rest: "c"},
	{name: "head", method: "HEAD", in: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nx", want: Response{200, 1, 0, false}, rest: "x"},
	{name: "no content", in: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nx", want: Response{204, 1, 0, false}, rest: "x"},
	{name: "not modified", in: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\nx", want: Response{304, 1, 0, false}, rest: "x"},
	{name: "interim", in: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\nLink: a\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", want: Response{201, 1, 1, false}, body: "x"},
	{name: "chunked", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\nrest", want: Response{200, 1, -1, false}, body: "hello0123456789", rest: "rest"},
	{name: "white space before an extension", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 ;ext\r\nhello\r\n1\t; a=b\r\nx\r\n0 ;\r\n\r\nrest", want: Response{200, 1, -1, false}, body: "hellox", rest: "rest"},
	{name: "trailer", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n000\r\nA: b\r\nC: d\r\n\r\nrest", want: Response{200, 1, -1, false}, body: "x", rest: "rest"},
	{name: "chunked and length", in: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", want: Response{200, 1, -1, true}, body: "x"},
	{name: "folded field nobody reads", in: "HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\nContent-Length: 0\r\n\r\n", want: Response{200, 1, 0, false}},
	{name: "high bytes in a value", in: "HTTP/1.1 200 OK\r\nX-Name: \xe9t\xe9\tx\r\nContent-Length: 0\r\n\r\n", want: Response{200, 1, 0, false}},
}

func TestReadsWellFormed(t *testing.T) {
	r := NewReader("X-Worker")
	for _, c := range wellFormed {
		for name, src := range map[string]io.Reader{"whole": strings.NewReader(c.in), "byte by byte": iotest.OneByteReader(strings.NewReader(c.in)), "waiting": &waiting{src: strings.NewReader(c.in)}, "end with data": iotest.DataErrReader(strings.NewReader(c.in))} {
			method := c.method
			if method == "" {
				method = "GET"
			}
			got := read(r, src, method)
			if got.err != nil || got.res != c.want || got.body != c.body || got.rest != c.rest {
				t.Errorf("%s, %s: got %+v, want %+v body %q rest %q", c.name, name, got, c.want, c.body, c.rest)
			}
		}
	}
}

const okLine, chunkHead = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

var malformedInputs = []string{
	"garbage", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
	"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 -20 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\n\r\n", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20) + okLine + "\r\n",
	okLine + " folded: first\r\n\r\n", okLine + "Content-Length: 1\r\n 2\r\n\r\nx", okLine + "X-Worker: 1\r\n\t2\r\n\r\n",
	okLine + "No colon\r\n\r\n", okLine + ": no name\r\n\r\n", okLine + "Space : x\r\n\r\n", okLine + "X: a\rb\r\n\r\n", okLine + "X: a\x00b\r\n\r\n", okLine + "X: a\r\r\n\r\n",
	okLine + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", okLine + "Content-Length: 1, 1\r\n\r\nx", okLine + "Content-Length:\r\n\r\n",
	okLine + "Content-Length: +1\r\n\r\nx", okLine + "Content-Length: -1\r\n\r\nx", okLine + "Content-Length: 0x1\r\n\r\nx", okLine + "Content-Length: 9223372036854775808\r\n\r\nx",
	okLine + "Content-Length: 99999999999999999999999999\r\n\r\nx",
	okLine + "Transfer-Encoding: gzip, chunked\r\n\r\n", okLine + "Transfer-Encoding: identity\r\n\r\n", okLine + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	chunkHead + "\r\n", chunkHead + "x\r\n", chunkHead + " 1\r\nx\r\n0\r\n\r\n", chunkHead + "-1\r\n", chunkHead + "0x1\r\nx\r\n", chunkHead + "1\nx\r\n0\r\n\r\n", chunkHead + "1\r\nxy\r\n0\r\n\r\n", chunkHead + "1\r\nx\n0\r\n\r\n",
	chunkHead + "8000000000000000\r\nx", chunkHead + "ffffffffffffffff1\r\nx", chunkHead + "1;a\rb\r\nx\r\n0\r\n\r\n", chunkHead + strings.Repeat("1;"+strings.Repeat("e", 1000)+"\r\nx\r\n", 100),
	chunkHead + "0\r\nA: b\n\r\n", chunkHead + "0\r\nA b\r\n\r\n", chunkHead + "0\r\n" + strings.Repeat("A: b\r\n", 1000) + "\r\n", chunkHead + strings.Repeat("0", 3000),
	okLine + "X: " + strings.Repeat("x", MaxHead) + "\r\n\r\n", okLine + strings.Repeat("X: y\r\n", MaxHead/6) + "\r\n", okLine + strings.Repeat("x", 10<<20),
}

func TestRefusesMalformed(t *testing.T) {
	r := NewReader("X-Worker")
	for _, in := range malformedInputs {
		got := read(r, strings.NewReader(in), "GET")
		if !errors.Is(got.err, ErrProtocol) {
			t.Errorf("%.80q: got %+v, want an error of the protocol", in, got)
		}
		if cap(r.buf) > 2*MaxHead {
			t.Fatalf("%.80q: the buffer grew to %d bytes", in, cap(r.buf))
		}
	}
}

func TestTellsWhereTheSourceEnded(t *testing.T) {
	r := NewReader()
	whole := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"
	for n := range len(whole) {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if got := read(r, strings.NewReader(whole[:n]), "GET"); got.err != want {
			t.Errorf("after %q: %v, want %v", whole[:n], got.err, want)
		}
	}
	if got := read(r, strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), "GET"); got.err != io.ErrUnexpectedEOF {
		t.Errorf("half a body: %v", got.err)
	}
	// A source that was cut off, as TLS says it, is no end of a body.
	cut := io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\n\r\nab"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if got := read(r, cut, "GET"); got.err != io.ErrUnexpectedEOF {
		t.Errorf("body until close, cut off: %v", got.err)
	}
}

func TestReadsOneAfterTheOther(t *testing.T) {
	one := "HTTP/1.1 200 OK\r\nX-Worker: 12\r\nContent-Length: 2\r\n\r\nab"
	two := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n"
	three := "HTTP/1.1 503 Busy\r\nx-worker: 3\r\nx-worker: 4\r\nContent-Length: 0\r\n\r\n"
	r := NewReader("X-Degraded", "X-Worker")
	r.Reset(iotest.HalfReader(strings.NewReader(one + two + three)))
	for i, want := range []struct {
		status       int
		body, worker string
	}{{200, "ab", "12"}, {200, "cd", ""}, {503, "", "3, 4"}} {
		o := outcome{}
		if o.res, o.err = r.Next("GET"); o.err != nil {
			t.Fatal(i, o.err)
		}
		worker, present := r.Value(1)
		if string(worker) != want.worker || present != (want.worker != "") {
			t.Errorf("%d: X-Worker %q, %v", i, worker, present)
		}
		for {
			b, err := r.Body()
			if o.body += string(b); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(i, err)
			}
		}
		if o.res.Status != want.status || o.body != want.body {
			t.Errorf("%d: got %+v", i, o)
		}
	}
	if _, err := r.Next("GET"); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
	if want := int64(len(one + two + three)); r.Received() != want {
		t.Errorf("received %d, want %d", r.Received(), want)
	}
}

func TestReadsWithoutAllocating(t *testing.T) {
	in := []byte("HTTP/1.1 200 OK\r\nServer: x\r\nX-Worker: 4711\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	r, src := NewReader("X-Worker"), bytes.NewReader(in)
	r.Reset(src)
	if n := testing.AllocsPerRun(100, func() {
		src.Reset(in)
		if _, err := r.Next("GET"); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := r.Body(); err != nil {
				break
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations per response", n)
	}
}

func BenchmarkReader(b *testing.B) {

	in := []byte("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 15\r\nLast-Modified: Fri, 20 Nov 2026 11:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"65\"\r\nAccept-Ranges: bytes\r\n\r\nhello to you!!\n")
	r, src := NewReader("X-Worker", "X-Degraded", "Retry-After"), bytes.NewReader(in)
	r.Reset(src)
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(in)
		if _, err := r.Next("GET"); err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Body(); err != nil {
				break
			}
		}
	}
}

package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzReader reads the same bytes by Reader and by net/http. What Reader
// accepts, net/http must accept, with the same status, body and end of the
// response: stricter is allowed, laxer or different is not.
func FuzzReader(f *testing.F) {
	for _, c := range wellFormed {
		f.Add([]byte(c.in), c.method == "HEAD")
	}
	for _, in := range malformedInputs {
		if len(in) < 10<<10 {
			f.Add([]byte(in), false)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		whole := read(NewReader("X-Worker"), bytes.NewReader(in), method)
		pieces := read(NewReader("X-Worker"), iotest.OneByteReader(bytes.NewReader(in)), method)
		if (whole.err == nil) != (pieces.err == nil) || whole.res != pieces.res || whole.body != pieces.body || whole.err == nil && whole.rest != pieces.rest {
			t.Fatalf("%q: read whole %+v, byte by byte %+v", in, whole, pieces)
		}
		waited := read(NewReader("X-Worker"), &waiting{src: bytes.NewReader(in)}, method)
		if waited.res != pieces.res || waited.body != pieces.body || waited.rest != pieces.rest || errors.Is(waited.err, ErrProtocol) != errors.Is(pieces.err, ErrProtocol) || (waited.err == nil) != (pieces.err == nil) {
			t.Fatalf("%q: byte by byte %+v, with waiting %+v", in, pieces, waited)
		}
		if whole.err != nil {
			if !errors.Is(whole.err, ErrProtocol) && whole.err != io.EOF && whole.err != io.ErrUnexpectedEOF {
				t.Fatalf("%q: an error of no kind: %v", in, whole.err)
			}
			return
		}
		want, err := readByNetHTTP(in, method)
		if err != nil && strings.Contains(err.Error(), "invalid byte in chunk length") {
			// It refuses white space before a chunk's extension, which RFC 9112 §7.1.1 has.
			in = blanks.ReplaceAll(in, []byte(";"))
			if whole = read(NewReader("X-Worker"), bytes.NewReader(in), method); whole.err != nil {
				return
			}
			want, err = readByNetHTTP(in, method)
		}
		if err != nil {
			t.Fatalf("%q: read as %+v, but net/http says %v", in, whole, err)
		}
		got := whole
		if got.res.Close && !want.res.Close && got.res.Length < 0 {
			want.res.Close = true // both Content-Length and chunked: stricter
		}
		if got.res.Status != want.res.Status || got.res.Minor != want.res.Minor || got.res.Close != want.res.Close || got.body != want.body || got.rest != want.rest {
			t.Fatalf("%q:\ngot  %+v\nwant %+v", in, got, want)
		}
	})
}

var blanks = regexp.MustCompile("[ \t]+;")

func readByNetHTTP(in []byte, method string) (o outcome, err error) {
	br := bufio.NewReader(bytes.NewReader(in))
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			// It refuses the announcement of some trailers; that frames nothing.
			if strings.Contains(err.Error(), "bad trailer key") {
				return read(NewReader(), bytes.NewReader(in), method), nil
			}
			return o, err
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return o, err
		}
		if res.StatusCode/100 == 1 {
			continue
		}
		rest, err := io.ReadAll(br)
		o.res = Response{Status: res.StatusCode, Minor: res.ProtoMinor, Length: res.ContentLength, Close: res.Close}
		o.body, o.rest = string(body), string(rest)
		return o, err
	}
}

package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// MaxHead bounds a response's status line and header, interim responses
	// before it included, in bytes.
	MaxHead = 256 << 10

	initialBuffer = 4 << 10  // what a connection costs while answers are small
	bodyBuffer    = 16 << 10 // what it grows to for larger bodies
)

// ErrProtocol is what every error about malformed bytes wraps.
var ErrProtocol = errors.New("malformed HTTP response")

// ErrWait is what a source that does not wait returns while it has nothing.
// [Reader.Next] and [Reader.Body] return it as it is and are called again later.
var ErrWait = errors.New("nothing has come yet")

// Reader reads the responses that come one after the other on a connection. It
// is reused over connections by [Reader.Reset] and is not safe for concurrent
// use. Its zero value has no source; [NewReader] makes one.
type Reader struct {
	src io.Reader
	buf []byte
	at  int // buf[at:end] is read and not yet used
	end int

	received int64 // bytes read from src since Reset
	begun    int64 // received − buffered when the current response began

	hold    int   // where the head that is being read begins; −1: none is
	checked int   // bytes from hold on in which no end of a head was found
	failed  error // of the source, for a head that is parsed once more

	keep []string // names of fields to keep, in lower case
	kept []value

	body  framing
	ended bool // the source has said io.EOF
}

type value struct {
	bytes   []byte
	present bool
}

// NewReader returns a Reader that keeps the values of the fields named.
func NewReader(keep ...string) *Reader {
	r := &Reader{kept: make([]value, len(keep)), hold: -1}
	for _, name := range keep {
		r.keep = append(r.keep, string(bytes.ToLower([]byte(name))))
	}
	return r
}

// Reset makes r read from src, a new connection, and forgets what was buffered.
func (r *Reader) Reset(src io.Reader) {
	if cap(r.buf) > bodyBuffer {
		r.buf = nil // one answer with a huge header must not cost for ever
	}
	r.src, r.at, r.end, r.received, r.begun, r.ended = src, 0, 0, 0, 0, false
	r.hold, r.failed = -1, nil
	r.body = framing{kind: noBody}
}

// Received returns the bytes read from the source since [Reader.Reset].
func (r *Reader) Received() int64 { return r.received }

// Buffered returns how many bytes have been read from the source and not been
// used. After the end of a body they are bytes nobody asked for.
func (r *Reader) Buffered() int { return r.end - r.at }

// Value returns the kept field at index i in the order of [NewReader], and
// whether the last response had it. Several fields of one name are joined by
// ", ". The bytes are valid until the next [Reader.Next].
func (r *Reader) Value(i int) ([]byte, bool) { return r.kept[i].bytes, r.kept[i].present }

// malformed says what is wrong, with an excerpt of the offending bytes.
func malformed(what string, b []byte) error {
	if len(b) > 60 {
		b = b[:60]
	}
	return fmt.Errorf("%w: %s %q", ErrProtocol, what, b)
}

// line returns the next line without its end, valid until the next read. limit
// is how many bytes it may have with its end. In strict mode a line must end
// in CR LF; otherwise LF alone will do (RFC 9112 §2.2).
func (r *Reader) line(limit int, strict bool) ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(r.buf[r.at+searched:r.end], '\n'); i >= 0 {
			n := searched + i + 1
			if n > limit {
				return nil, fmt.Errorf("%w: a line or header longer than allowed", ErrProtocol)
			}
			line := r.buf[r.at : r.at+n-1]
			r.at += n
			if len(line) > 0 && line[len(line)-1] == '\r' {
				return line[:len(line)-1], nil
			}
			if strict {
				return nil, malformed("a line that ends in LF alone", line)
			}
			return line, nil
		}
		if searched = r.end - r.at; searched >= limit {
			return nil, fmt.Errorf("%w: a line or header longer than allowed", ErrProtocol)
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more from the source behind what is buffered, and keeps a head that
// is being read. At the source's end it returns io.EOF if not a byte of the
// response had come, else io.ErrUnexpectedEOF.
func (r *Reader) fill() error {
	if r.failed != nil {
		return r.failed
	}
	from := r.at
	if r.hold >= 0 {
		from = r.hold
	}
	if from == r.end {
		r.drop(from)
	}
	if r.end == len(r.buf) {
		switch {
		case from > 0:
			r.drop(from)
		default:
			grown := make([]byte, max(initialBuffer, 2*len(r.buf)))
			r.end = copy(grown, r.buf[:r.end])
			r.buf = grown
		}
	}
	// A source may return 0, nil; one that always does is broken.
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		r.received += int64(n)
		switch {
		case n > 0:
			return nil
		case err == io.EOF && r.received > r.begun:
			r.ended = true
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

// drop forgets what stands before from.
func (r *Reader) drop(from int) {
	r.end = copy(r.buf, r.buf[from:r.end])
	r.at -= from
	if r.hold >= 0 {
		r.hold -= from
	}
}

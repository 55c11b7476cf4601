package http1

import (
	"bytes"
	"fmt"
	"io"
)

const (
	maxChunkLine = 2 << 10 // a chunk's size and extensions
	maxTrailer   = 4 << 10
	maxExcess    = 8 << 10 // framing beyond what small chunks need
)

type bodyKind uint8

const (
	noBody bodyKind = iota
	sized
	chunked
	untilClose
)

// framing is where a body ends.
type framing struct {
	kind   bodyKind
	left   int64 // sized: of the body; chunked: of the chunk
	ended  bool  // chunked: the last chunk's data is over, its CR LF is next
	excess int64 // chunked: bytes of framing beyond 16 a chunk and twice the data

	trailer bool // chunked: the last chunk is over
	room    int  // bytes that the trailer may still have
}

// Body returns the next piece of the body, at least one byte, valid until the
// next call. It returns io.EOF after the body's end, and otherwise what
// [Reader.Next] returns.
func (r *Reader) Body() ([]byte, error) {
	switch r.body.kind {
	case sized:
		if r.body.left == 0 {
			return nil, io.EOF
		}
		return r.piece()
	case chunked:
		if r.body.left == 0 {
			if err := r.nextChunk(); err != nil {
				return nil, err
			}
		}
		b, err := r.piece()
		r.body.ended = err == nil && r.body.left == 0
		return b, err
	case untilClose:
		if err := r.some(); err != nil {
			// TLS that was cut off says io.ErrUnexpectedEOF itself: no end.
			if r.ended {
				r.body = framing{kind: noBody}
				return nil, io.EOF
			}
			return nil, err
		}
		b := r.buf[r.at:r.end]
		r.at = r.end
		return b, nil
	}
	return nil, io.EOF
}

// piece returns what is buffered of the left bytes, and reads if that is none.
func (r *Reader) piece() ([]byte, error) {
	if err := r.some(); err != nil {
		return nil, err
	}
	n := min(int64(r.Buffered()), r.body.left)
	b := r.buf[r.at : r.at+int(n)]
	r.at += int(n)
	r.body.left -= n
	return b, nil
}

// some makes sure that at least one byte is buffered.
func (r *Reader) some() error {
	if r.at < r.end {
		return nil
	}
	if len(r.buf) < bodyBuffer && (r.body.kind == untilClose || r.body.left > int64(len(r.buf))) {
		r.buf, r.at, r.end = make([]byte, bodyBuffer), 0, 0
	}
	return r.fill()
}

// nextChunk reads up to the next chunk's data, or to the end of the trailer and
// then returns io.EOF.
func (r *Reader) nextChunk() error {
	if r.body.trailer {
		return r.trailer()
	}
	if r.body.ended {
		line, err := r.line(2, true)
		if err != nil {
			return err
		}
		if len(line) != 0 {
			return malformed("no line end after a chunk, but", line)
		}
		r.body.ended = false
	}
	line, err := r.line(maxChunkLine, true)
	if err != nil {
		return err
	}
	size, _, _ := bytes.Cut(line, []byte{';'})
	n, ok := hexadecimal(bytes.TrimRight(size, " \t")) // RFC 9112 §7.1.1 has white space there
	if !ok || bytes.IndexByte(line, '\r') >= 0 {
		return malformed("chunk size", line)
	}
	if n == 0 {
		r.body.trailer, r.body.room = true, maxTrailer
		return r.trailer()
	}
	// One byte a chunk is legitimate; endless extensions are not.
	r.body.excess = max(0, r.body.excess+int64(len(line))+2-16-2*min(n, maxExcess))
	if r.body.excess > maxExcess {
		return fmt.Errorf("%w: more chunk framing than data", ErrProtocol)
	}
	r.body.left = n
	return nil
}

// trailer reads the fields after the last chunk, keeps none, and returns io.EOF.
func (r *Reader) trailer() error {
	for {
		before := r.consumed()
		line, err := r.line(r.body.room, true)
		if err != nil {
			return err
		}
		r.body.room -= int(r.consumed() - before)
		if len(line) == 0 {
			r.body = framing{kind: noBody}
			return io.EOF
		}
		if hasControl(line) {
			return malformed("control character in trailer", line)
		}
		if _, _, err := splitField(line); err != nil {
			return err
		}
	}
}

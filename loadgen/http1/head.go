package http1

import (
	"bytes"
	"fmt"
)

// maxInterim bounds the interim (1xx) responses before a final one.
const maxInterim = 16

// Response is the head of a final response.
type Response struct {
	Status int   // 200…999
	Minor  int   // of the version HTTP/1.Minor: 0 or 1
	Length int64 // of the body in bytes; −1 if it is not known beforehand
	Close  bool  // the connection cannot be used again after this response
}

// Next reads up to the end of the next response's header and skips interim
// responses. method is the request's. The last body must have been read to its
// end by [Reader.Body].
//
// It returns io.EOF if the source ended before the first byte of the response,
// io.ErrUnexpectedEOF if within it, an error that wraps [ErrProtocol] if the
// bytes are malformed, and the source's own errors as they are. After [ErrWait]
// it is called again when more has come.
func (r *Reader) Next(method string) (Response, error) {
	if r.hold < 0 {
		r.begun = r.consumed()
		r.hold, r.checked = r.at, 0
	} else if err := r.more(); err != nil {
		return Response{}, err
	}
	res, err := r.parse(method)
	if err == ErrWait {
		r.at, r.checked = r.hold, r.end-r.hold
	} else {
		r.hold = -1
	}
	return res, err
}

// GiveUp returns why a response for which [Reader.Next] returned [ErrWait] will
// not be read: reason, unless what has come of it is malformed.
func (r *Reader) GiveUp(method string, reason error) error {
	if r.hold < 0 {
		return reason
	}
	r.at, r.failed = r.hold, reason
	if _, err := r.parse(method); err != nil {
		return err
	}
	return reason
}

// more reads on until there may be a whole head, so that one which comes byte by
// byte is not parsed for every byte. What had come when the source failed is
// parsed once more: it may be malformed.
func (r *Reader) more() error {
	for {
		switch err := r.fill(); {
		case err == ErrWait:
			return err
		case err != nil:
			r.failed = err
			return nil
		}
		fresh := r.buf[r.hold+max(0, r.checked-2) : r.end]
		if r.checked < len(signature) || bytes.Contains(fresh, []byte("\n\r\n")) || bytes.Contains(fresh, []byte("\n\n")) || r.end-r.hold >= MaxHead {
			return nil
		}
		r.checked = r.end - r.hold
	}
}

// parse reads what [Reader.Next] returns from its beginning on.
func (r *Reader) parse(method string) (Response, error) {
	left := MaxHead
	for range maxInterim {
		h := header{length: -1}
		if err := r.head(&h, &left); err != nil {
			return Response{}, err
		}
		if h.status >= 200 {
			return r.frame(&h, method)
		}
		if h.status == 101 {
			return Response{}, fmt.Errorf("%w: 101 Switching Protocols, which nobody asked for", ErrProtocol)
		}
	}
	return Response{}, fmt.Errorf("%w: more than %d interim responses", ErrProtocol, maxInterim)
}

// header is what framing needs of a status line and the fields after it.
type header struct {
	status, minor    int
	length           int64 // Content-Length; −1 without
	chunked          bool
	close, keepAlive bool // tokens of Connection
}

// head reads a status line and its fields. left is what remains of MaxHead.
func (r *Reader) head(h *header, left *int) error {
	for i := range r.kept {
		r.kept[i] = value{bytes: r.kept[i].bytes[:0]}
	}
	if err := r.begin(); err != nil {
		return err
	}
	line, err := r.headLine(left)
	if err != nil {
		return err
	}
	if err := h.statusLine(line); err != nil {
		return err
	}
	var foldable bool // the field before may go on in a folded line
	for {
		line, err := r.headLine(left)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		// A folded line only lengthens the value before it. That is harmless
		// for a field nobody reads, and an attack on any other.
		if line[0] == ' ' || line[0] == '\t' {
			if !foldable {
				return malformed("folded header line", line)
			}
			continue
		}
		name, val, err := splitField(line)
		if err != nil {
			return err
		}
		used, err := r.field(h, name, val)
		if err != nil {
			return err
		}
		foldable = !used
	}
}

// signature is what every head begins with.
const signature = "HTTP/1."

// begin refuses what does not begin as HTTP at its first wrong byte, rather than
// wait for the end of a line that may never come.
func (r *Reader) begin() error {
	for {
		got := r.buf[r.at:min(r.end, r.at+len(signature))]
		if string(got) != signature[:len(got)] {
			return malformed("it begins with", r.buf[r.at:r.end])
		}
		if len(got) == len(signature) {
			return nil
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

func (r *Reader) headLine(left *int) ([]byte, error) {
	before := r.consumed()
	line, err := r.line(*left, false)
	if err != nil {
		return nil, err
	}
	*left -= int(r.consumed() - before)
	if hasControl(line) {
		return nil, malformed("control character in", line)
	}
	return line, nil
}

func (r *Reader) consumed() int64 { return r.received - int64(r.Buffered()) }

// statusLine reads "HTTP/1.1 200 OK"; the reason, and the space before it, may
// be missing.
func (h *header) statusLine(line []byte) error {
	if len(line) < len("HTTP/1.1 200") || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return malformed("status line", line)
	}
	switch line[7] {
	case '0', '1':
		h.minor = int(line[7] - '0')
	default:
		return malformed("version of status line", line)
	}
	status, ok := decimal(line[9:12])
	if !ok || status < 100 {
		return malformed("status line", line)
	}
	h.status = int(status)
	return nil
}

func splitField(line []byte) (name, val []byte, err error) {
	for i, c := range line {
		if c == ':' && i > 0 {
			return line[:i], trim(line[i+1:]), nil
		}
		if !tokenByte[c] {
			break
		}
	}
	return nil, nil, malformed("header line", line)
}

// field takes in one field and tells whether it means something to anybody.
func (r *Reader) field(h *header, name, val []byte) (used bool, err error) {
	switch len(name) {
	case len("connection"):
		if equalFold(name, "connection") {
			h.connection(val)
			used = true
		}
	case len("content-length"):
		if equalFold(name, "content-length") {
			n, ok := decimal(val)
			if !ok || h.length >= 0 && h.length != n {
				return true, malformed("Content-Length", val)
			}
			h.length, used = n, true
		}
	case len("transfer-encoding"):
		if equalFold(name, "transfer-encoding") {
			if h.chunked || h.minor == 0 || !equalFold(val, "chunked") {
				return true, malformed("Transfer-Encoding", val)
			}
			h.chunked, used = true, true
		}
	}
	for i, keep := range r.keep {
		if equalFold(name, keep) {
			k := &r.kept[i]
			if k.present {
				k.bytes = append(k.bytes, ", "...)
			}
			k.bytes, k.present, used = append(k.bytes, val...), true, true
		}
	}
	return used, nil
}

// connection reads the tokens of a Connection field.
func (h *header) connection(val []byte) {
	for len(val) > 0 {
		token, rest, _ := bytes.Cut(val, []byte{','})
		switch token = trim(token); {
		case equalFold(token, "close"):
			h.close = true
		case equalFold(token, "keep-alive"):
			h.keepAlive = true
		}
		val = rest
	}
}

// frame decides how the body is delimited (RFC 9112 §6.3) and whether the
// connection persists (§9.3).
func (r *Reader) frame(h *header, method string) (Response, error) {
	res := Response{Status: h.status, Minor: h.minor, Close: h.close || h.minor == 0 && !h.keepAlive}
	switch {
	case method == "HEAD" || h.status == 204 || h.status == 304:
		r.body = framing{kind: noBody}
	case h.chunked:
		// Both fields at once may be an attempt at request smuggling: the
		// connection ends with this response.
		res.Length, res.Close = -1, res.Close || h.length >= 0
		r.body = framing{kind: chunked}
	case h.length >= 0:
		res.Length = h.length
		r.body = framing{kind: sized, left: h.length}
	default:
		res.Length, res.Close = -1, true
		r.body = framing{kind: untilClose}
	}
	return res, nil
}

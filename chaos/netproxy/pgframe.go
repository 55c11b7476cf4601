package netproxy

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// pgFramer finds where the messages of PostgreSQL's protocol 3 begin and end in
// bytes that come in any pieces (docs: "Frontend/Backend Protocol").
type pgFramer struct {
	untyped bool // messages without a type byte: what a client begins with
	types   string

	header []byte
	body   []byte // up to longestBody bytes of it
	left   int64  // of the message
	inBody bool
}

const longestBody = 64 << 10

var errPG = errors.New("not PostgreSQL's protocol")

// What each side may send, by the type bytes of protocol 3.
const (
	frontendTypes = "BCDEFHPQSXcdfp"
	backendTypes  = "123ACDEGHIKNRSTVWZcdnstv"
)

// feed takes bytes up to the end of the message, and tells how many and whether
// it is complete. Its type and body stand until the next call.
func (f *pgFramer) feed(b []byte) (n int, complete bool, err error) {
	if !f.inBody {
		want := 5
		if f.untyped {
			want = 4
		}
		if len(f.header) == want {
			f.header, f.body = f.header[:0], nil // of the message before
		}
		n = min(want-len(f.header), len(b))
		f.header = append(f.header, b[:n]...)
		if len(f.header) < want {
			return n, false, f.checkType()
		}
		length := int64(binary.BigEndian.Uint32(f.header[want-4:]))
		if length < 4 || length > 1<<30 || f.checkType() != nil {
			return n, false, errPG
		}
		f.left, f.inBody = length-4, true
	}
	take := int(min(f.left, int64(len(b)-n)))
	f.body = append(f.body, b[n : n+take][:min(take, longestBody-len(f.body))]...)
	f.left -= int64(take)
	n += take
	if f.left > 0 {
		return n, false, nil
	}
	f.inBody = false
	return n, true, nil
}

func (f *pgFramer) checkType() error {
	if !f.untyped && len(f.header) > 0 && bytes.IndexByte([]byte(f.types), f.header[0]) < 0 {
		return errPG
	}
	return nil
}

// kind returns the type of the message.
func (f *pgFramer) kind() byte {
	if f.untyped || len(f.header) == 0 {
		return 0
	}
	return f.header[0]
}

// full tells whether as much of the body has come as is ever kept.
func (f *pgFramer) full() bool { return len(f.body) == longestBody }

// cstring cuts a string that ends with a zero byte off b.
func cstring(b []byte) (text, rest []byte) {
	text, rest, _ = bytes.Cut(b, []byte{0})
	return text, rest
}

// pgError is an ErrorResponse with which the server ends a connection.
func pgError(code, text string) []byte {
	fields := []byte("SFATAL\x00VFATAL\x00C" + code + "\x00M" + text + "\x00\x00")
	message := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(fields)+4))
	return append(message, fields...)
}

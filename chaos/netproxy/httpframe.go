package netproxy

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/loadgen/http1"
)

// httpFramer finds where HTTP/1.1 messages begin and end in bytes that come in
// any pieces. After a head, begin says how long the body is.
type httpFramer struct {
	phase framePhase
	head  []byte
	line  []byte
	left  int64
}

type framePhase int

const (
	inHead framePhase = iota
	inLength
	inChunkSize
	inChunk
	inTrailer
	untilClose
)

// frameEvent is what feed has come to.
type frameEvent int

const (
	needMore frameEvent = iota
	headCame            // the head is complete, in head
	bodyEnded
)

const longestHead = 64 << 10

var errHTTP = errors.New("not HTTP/1.1")

// feed takes bytes up to the next event, and tells how many.
func (f *httpFramer) feed(b []byte) (n int, e frameEvent, err error) {
	for n < len(b) && e == needMore && err == nil {
		var took int
		switch f.phase {
		case inHead, inChunkSize, inTrailer:
			took, e, err = f.readLine(b[n:])
		case inLength, inChunk:
			took = int(min(f.left, int64(len(b)-n)))
			if f.left -= int64(took); f.left == 0 {
				e = f.partEnded()
			}
		case untilClose:
			took = len(b) - n
		}
		n += took
	}
	return n, e, err
}

// partEnded follows the end of a body, or of a chunk with its line end.
func (f *httpFramer) partEnded() frameEvent {
	if f.phase == inChunk {
		f.phase = inChunkSize
		return needMore
	}
	f.reset()
	return bodyEnded
}

func (f *httpFramer) reset() { *f = httpFramer{head: f.head[:0], line: f.line[:0]} }

// readLine takes bytes up to the end of a line, and looks at the line.
func (f *httpFramer) readLine(b []byte) (n int, e frameEvent, err error) {
	end := bytes.IndexByte(b, '\n')
	if n = end + 1; end < 0 {
		n = len(b)
	}
	f.line = append(f.line, b[:n]...)
	if f.phase == inHead {
		f.head = append(f.head, b[:n]...)
	}
	if len(f.line) > longestHead || len(f.head) > longestHead {
		return n, needMore, errHTTP
	}
	if end < 0 {
		return n, needMore, nil
	}
	line := strings.TrimRight(string(f.line), "\r\n")
	f.line = f.line[:0]
	switch f.phase {
	case inHead:
		if line != "" {
			return n, needMore, nil
		}
		if len(bytes.TrimSpace(f.head)) == 0 { // RFC 9112 §2.2: an empty line before a request
			return n, needMore, nil
		}
		return n, headCame, nil
	case inChunkSize:
		size, _, _ := strings.Cut(line, ";")
		length, err := strconv.ParseUint(strings.TrimSpace(size), 16, 62)
		if err != nil {
			return n, needMore, errHTTP
		}
		f.phase, f.left = inChunk, int64(length)+2
		if length == 0 {
			f.phase = inTrailer
		}
	case inTrailer:
		if line == "" {
			f.reset()
			return n, bodyEnded, nil
		}
	}
	return n, needMore, nil
}

// begin sets how the body after a head is framed. It returns true if there is
// none, so that the message is complete.
func (f *httpFramer) begin(chunked bool, length int64, toTheEnd bool) bool {
	f.reset()
	f.head = nil // the caller keeps it
	switch {
	case chunked:
		f.phase = inChunkSize
	case length > 0:
		f.phase, f.left = inLength, length
	case toTheEnd:
		f.phase = untilClose
	default:
		return true
	}
	return false
}

// httpHead is what matters of a head.
type httpHead struct {
	method, path string // of a request
	status       int    // of a response
	chunked      bool
	length       int64 // -1: not given
	expects      bool  // Expect: 100-continue
}

// parseHead reads a head as far as it matters.
func parseHead(head []byte, response bool) (h httpHead, err error) {
	h.length = -1
	lines := strings.Split(strings.TrimLeft(string(head), "\r\n"), "\n")
	words := strings.Fields(lines[0])
	switch {
	case response:
		if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/1.") {
			return h, errHTTP
		}
		if h.status, err = strconv.Atoi(words[1]); err != nil || h.status < 100 {
			return h, errHTTP
		}
	case len(words) != 3 || !http1.IsToken(words[0]) || !strings.HasPrefix(words[2], "HTTP/1."):
		return h, errHTTP
	default:
		h.method, h.path = words[0], words[1]
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			// RFC 9110 §8.6: a list of the same number stands for it.
			first, _, _ := strings.Cut(value, ",")
			if h.length, err = strconv.ParseInt(strings.TrimSpace(first), 10, 64); err != nil || h.length < 0 {
				return h, errHTTP
			}
		case "transfer-encoding":
			h.chunked = strings.HasSuffix(strings.ToLower(value), "chunked")
		case "expect":
			h.expects = strings.EqualFold(value, "100-continue")
		}
	}
	return h, nil
}

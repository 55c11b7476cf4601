package netproxy

import (
	"bytes"
	"errors"
	"strconv"
)

// respReader finds where the values of Redis's protocol (RESP 2 and 3) end in
// bytes that come in any pieces, and keeps the first words of a command.
type respReader struct {
	commands bool // inline commands are understood too

	line    []byte // of the type and length that is being read
	skip    int64  // bytes left of a string, its CRLF included
	values  int64  // left before the whole is complete
	kind    byte   // of the whole
	keep    bool   // the string being skipped is a word that is kept
	word    []byte
	words   [][]byte // the first two words of a command
	total   int64    // how many words it has
	started bool
}

const (
	longestLine = 64 << 10
	longestWord = 512 // of a command's words, what is kept
)

var errRESP = errors.New("not Redis's protocol")

// feed takes bytes up to the end of the value, and tells how many and whether
// it is complete. The next call begins the next value.
func (r *respReader) feed(b []byte) (n int, complete bool, err error) {
	if !r.started {
		*r = respReader{commands: r.commands, line: r.line[:0], started: true, values: 1}
	}
	for n < len(b) {
		if r.skip > 0 {
			take := int(min(r.skip, int64(len(b)-n)))
			if r.keep {
				r.keepWord(b[n : n+take])
			}
			n += take
			if r.skip -= int64(take); r.skip > 0 {
				break
			}
			r.endWord()
		} else {
			end := bytes.IndexByte(b[n:], '\n')
			if end < 0 {
				r.line = append(r.line, b[n:]...)
				n = len(b)
				if len(r.line) > longestLine {
					return n, false, errRESP
				}
				break
			}
			r.line = append(r.line, b[n:n+end]...)
			n += end + 1
			if err := r.read(bytes.TrimSuffix(r.line, []byte("\r"))); err != nil {
				return n, false, err
			}
			r.line = r.line[:0]
		}
		if r.values == 0 && r.skip == 0 {
			r.started = false
			return n, true, nil
		}
	}
	return n, false, nil
}

// read takes a line: a type with its value or length.
func (r *respReader) read(line []byte) error {
	r.values--
	if r.kind == 0 {
		if len(line) == 0 {
			if !r.commands {
				return errRESP
			}
			return nil // an empty line is no command, and is not answered
		}
		r.kind = line[0]
		if r.commands && r.kind != '*' {
			r.words = bytes.Fields(bytes.Clone(line))
			r.total = int64(len(r.words))
			return nil
		}
	}
	if len(line) == 0 {
		return errRESP
	}
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		return nil
	case '$', '!', '=':
		length, err := r.length(line)
		if err != nil || length < 0 {
			return err
		}
		r.skip = length + 2
		r.keep = r.commands && len(r.words) < 2
		return nil
	case '*', '~', '>':
		count, err := r.length(line)
		if r.total == 0 {
			r.total = count
		}
		r.values += max(count, 0)
		return err
	case '%':
		count, err := r.length(line)
		r.values += 2 * max(count, 0)
		return err
	case '|': // attributes, which stand before the value
		count, err := r.length(line)
		r.values += 2*max(count, 0) + 1
		return err
	}
	return errRESP
}

func (r *respReader) length(line []byte) (int64, error) {
	n, err := strconv.ParseInt(string(line[1:]), 10, 64)
	if err != nil || n < -1 || n > 1<<40 || r.values > 1<<40 {
		return 0, errRESP
	}
	return n, nil
}

func (r *respReader) keepWord(b []byte) {
	r.word = append(r.word, b[:min(len(b), longestWord-len(r.word))]...)
}

func (r *respReader) endWord() {
	if r.keep {
		r.words = append(r.words, bytes.TrimSuffix(r.word, []byte("\r\n")))
		r.word, r.keep = nil, false
	}
}

// known tells whether enough of a command has come to decide on it.
func (r *respReader) known() bool {
	return len(r.words) >= 2 || !r.started || int64(len(r.words)) >= r.total && r.total > 0
}

// name returns the first word, in capitals.
func (r *respReader) name() string {
	if len(r.words) == 0 {
		return ""
	}
	return string(bytes.ToUpper(r.words[0]))
}

// key returns the second word.
func (r *respReader) key() []byte {
	if len(r.words) < 2 {
		return nil
	}
	return r.words[1]
}

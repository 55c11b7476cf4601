package http1

import (
	"encoding/binary"
	"strings"
)

// IsToken tells whether s is a token of RFC 9110 §5.6.2: a method, or the name
// of a header field.
func IsToken(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// IsTarget tells whether s can stand as the target of a request line: it is not
// empty and holds no space, control character or byte above ASCII.
func IsTarget(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// IsFieldValue tells whether s can stand as the value of a header field: it
// holds no control character but tabs, so that it cannot end its line.
func IsFieldValue(s string) bool {
	return !hasControl([]byte(s)) && strings.Trim(s, " \t") == s
}

var tokenByte = func() (table [256]bool) {
	for c := '0'; c <= '9'; c++ {
		table[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		table[c], table[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		table[c] = true
	}
	return table
}()

// hasControl tells whether b holds a control character other than a tab. Eight
// bytes at a time, as every line of every response goes through it.
func hasControl(b []byte) bool {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		below := (x - ones*0x20) & ^x & high // a byte below 0x20
		del := x ^ ones*0x7f
		del = (del - ones) & ^del & high // a byte equal to 0x7f
		if below|del != 0 && hasControlByte(b[:8]) {
			return true
		}
		b = b[8:]
	}
	return hasControlByte(b)
}

func hasControlByte(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// equalFold tells whether b is lower, which is in lower case, in any case of
// ASCII letters.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// trim removes spaces and tabs on both sides.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// decimal reads a number of ASCII digits; false if there are none, others, or
// it exceeds 63 bits.
func decimal(b []byte) (int64, bool) {
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' || n > (1<<63-1-int64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

// hexadecimal reads a number of at most 15 hexadecimal digits, which cannot
// overflow an int64.
func hexadecimal(b []byte) (int64, bool) {
	n := int64(0)
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, len(b) > 0 && len(b) <= 15
}

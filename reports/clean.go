package reports

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes a text from outside safe to print on one line: control characters
// are written out ("\x1b"), so that they drive no terminal, as are marks that
// turn the direction of writing or hide; line breaks and tabs become spaces.
func clean(s string) string {
	if !strings.ContainsFunc(s, unsafeRune) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case !unsafeRune(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func unsafeRune(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Reason is the first of Reasons, safe to print on a line; "" if there is none.
func (r *Report) Reason() string {
	if len(r.Reasons) == 0 {
		return ""
	}
	return clean(r.Reasons[0])
}

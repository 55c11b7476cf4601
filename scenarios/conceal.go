package scenarios

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/reports"
)

var (
	// aKey matches a key of a mapping; its group is the key's name.
	aKey = regexp.MustCompile(`(?:^|[\s{,])["']?([A-Za-z0-9_.-]+)["']?\s*:(?:\s|$)`)
	// leadsKey matches a line that begins with a key.
	leadsKey = regexp.MustCompile(`^\s*(?:- +)*["']?[A-Za-z0-9_.-]+["']?\s*:(?:\s|$)`)
	// beside matches what may stand between a key and its value.
	beside = regexp.MustCompile(`^(?:[&!]\S*(?:\s+|$))*(?:#.*)?`)
	// Whole values, quoted and not; in a flow mapping, { }, they end earlier.
	quotedValue  = regexp.MustCompile(`^"(?:[^"\\]|\\.)*"|^'[^']*'`)
	untilComment = regexp.MustCompile(`^.*?(?:\s#|$)`)
	untilComma   = regexp.MustCompile(`^(?:\$\{[^}]*\}|[^,}])*`)
)

// namesSecret tells whether the value of a key, or of a header field, is secret.
func namesSecret(key string) bool {
	return secretName.MatchString(key) || slices.Contains(credentialHeaders, strings.ToLower(key))
}

// concealed returns a line, counted from 1, without the secrets in it: those
// which [reports.Mask] knows, and whatever is part of a value under a secret's
// name, as plain words and blocks of several lines are. Every character keeps
// its column.
func (s *source) concealed(line int) string {
	if s.secret == nil {
		s.findSecrets()
	}
	text := s.lines[line-1]
	if s.secret[line-1] {
		blank := indentOf(text)
		return text[:blank] + reports.MaskAll(text[blank:])
	}
	values, _ := secretValues(text)
	for _, v := range slices.Backward(values) {
		text = text[:v.from] + reports.MaskAll(text[v.from:v.to]) + text[v.to:]
	}
	return reports.Mask(text)
}

// findSecrets marks the lines that a secret goes on in which began above. It
// goes by the text, for the mistake may be that it is no YAML.
func (s *source) findSecrets() {
	s.secret = make([]bool, len(s.lines))
	var open *unended
	for i, line := range s.lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if open.goesOn(line) {
			s.secret[i] = true
			continue
		}
		_, open = secretValues(line)
	}
}

// unended is the value of a secret that may go on in the next line.
type unended struct {
	column int  // of its key, from 0: what is indented more belongs to it
	quote  byte // that ends it; 0: none does
	begins bool // only the key was there so far
}

// goesOn tells whether a line is part of the value.
func (u *unended) goesOn(line string) bool {
	switch {
	case u == nil:
		return false
	case u.quote != 0:
		if strings.IndexByte(line, u.quote) >= 0 {
			*u = unended{column: math.MaxInt} // nothing after it is
		}
		return true
	case u.begins:
		u.begins = false
		if leadsKey.MatchString(line) {
			return false // a mapping, or the next key
		}
		if first := strings.TrimSpace(line); first[0] == '"' || first[0] == '\'' {
			if strings.IndexByte(first[1:], first[0]) < 0 {
				u.quote = first[0]
			}
		}
		return true
	}
	return indentOf(line) > u.column
}

// span is a part of a line, in bytes.
type span struct{ from, to int }

// secretValues returns where the values of secrets stand in a line, and the one
// that may go on in the next line, nil if none does.
func secretValues(line string) (values []span, open *unended) {
	for _, m := range aKey.FindAllStringSubmatchIndex(line, -1) {
		if !namesSecret(line[m[2]:m[3]]) || len(values) > 0 && m[0] < values[len(values)-1].to-1 {
			continue
		}
		from := m[1] + indentOf(line[m[1]:])
		from += len(beside.FindString(line[from:]))
		rest := line[from:]
		flow := strings.Contains(line[:m[2]], "{")
		column := m[2]
		if flow {
			column = indentOf(line)
		}
		switch {
		case rest == "":
			return values, &unended{column: column, begins: true}
		case rest[0] == '{' || rest[0] == '[':
		case rest[0] == '|' || rest[0] == '>':
			return values, &unended{column: column}
		case rest[0] == '"' || rest[0] == '\'':
			whole := quotedValue.FindString(rest)
			if whole == "" {
				return append(values, span{from + 1, len(line)}), &unended{quote: rest[0]}
			}
			values = append(values, span{from + 1, from + len(whole) - 1})
		default:
			value := strings.TrimSuffix(untilComment.FindString(rest), "#")
			if flow {
				value = untilComma.FindString(rest)
			}
			values = append(values, span{from, from + len(value)})
			if from+len(value) == len(line) {
				open = &unended{column: column}
			}
		}
	}
	return values, open
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

package reports

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	// inLines match what Mask hides, each in its last group. In the second and third
	// a password holds what a URL cannot: that may be the mistake which is shown.
	inLines = []*regexp.Regexp{
		regexp.MustCompile(`://([^/?#\s"'<>]*)@`),
		regexp.MustCompile(`://([^/?#\s"'<>@:]*:[^\s"'<>]*)@`),
		regexp.MustCompile(`["'][A-Za-z0-9+.-]+://([^/?#\s"'@:]*:[^"']*)@`),
		regexp.MustCompile(`(?i)\b(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key)["']?\s*[:=]\s*("[^"]*"|'[^']*'|(?:\$\{[^}]*\}|[^,}\r\n"'])*)`),
		credentials, passwords,
	}
	// inQueries matches the query of a URL, and aValue a value in it.
	inQueries = regexp.MustCompile(`://[^\s"'<>?]*(\?[^\s"'<>]*)`)
	aValue    = regexp.MustCompile(`=((?:\$\{[^}]*\}|[^&\s"'<>,}\]])*)`)
	aTemplate = regexp.MustCompile(`\$\{[^}]*\}?`)
)

// Mask hides secrets in a line of a file, each character by an asterisk so that
// columns stay where they are: all that [Redact] knows without being given
// secrets, and every value in the query of a URL. Templates, ${…}, stay: they
// show nothing of their values.
func Mask(line string) string {
	for _, form := range inLines {
		line = replaceLastGroup(form, line, stars)
	}
	return replaceLastGroup(inQueries, line, func(query string) string {
		return replaceLastGroup(aValue, query, stars)
	})
}

// replaceLastGroup replaces what the last group of each match is.
func replaceLastGroup(form *regexp.Regexp, s string, with func(string) string) string {
	var b strings.Builder
	done := 0
	for _, m := range form.FindAllStringSubmatchIndex(s, -1) {
		from, to := m[len(m)-2], m[len(m)-1]
		b.WriteString(s[done:from] + with(s[from:to]))
		done = to
	}
	return b.String() + s[done:]
}

// stars hides all of s but quotes around it and templates. What opens a mapping
// or a list is no secret: it stands under a name that looks like one's.
func stars(s string) string {
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		return s
	}
	if n := len(s) - 1; n > 0 && s[0] == s[n] && (s[0] == '"' || s[0] == '\'') {
		return s[:1] + MaskAll(s[1:n]) + s[n:]
	}
	return MaskAll(s)
}

// MaskAll hides all of s but templates, as [Mask] does.
func MaskAll(s string) string {
	var b strings.Builder
	done := 0
	for _, m := range append(aTemplate.FindAllStringIndex(s, -1), []int{len(s), len(s)}) {
		b.WriteString(strings.Repeat("*", utf8.RuneCountInString(s[done:m[0]])) + s[m[0]:m[1]])
		done = m[1]
	}
	return b.String()
}

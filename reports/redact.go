package reports

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mask stands where a secret stood.
const mask = "***"

var (
	// userInfo is what stands between :// and the last @ before the path.
	userInfo = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^/?#\s"'<>]*@`)
	// credentialFields are header fields whose whole value is secret, as they
	// appear in a dump ("Authorization: Basic eA==") or in JSON.
	credentialFields = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)("?\s*[:=]\s*)("[^"]*"|\[[^\]]*\]|\*\*\*|[^\r\n"]*)`)
	credentials      = regexp.MustCompile(`(?i)\b(bearer|basic)\s+([a-z0-9._~+/=-]{4,})`)
	passwords        = regexp.MustCompile(`(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|pwd|secret|token|api[_-]?key))("?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s&;,"']+)`)
)

// Redact replaces what nobody should read in a report, log or error by ***: user
// info in URLs, values of Authorization and cookie fields, passwords and tokens
// that are named so, and the given secrets wherever they stand, plain or
// URL-encoded. A secret shorter than four characters is replaced only where it
// stands as a word of its own, so that a value of "1" does not blot out every
// figure. The result does not change when it is redacted again.
func Redact(s string, secrets ...string) string {
	// Whole fields before the secrets: one of several cookies may be given.
	s = credentialFields.ReplaceAllString(s, "${1}${2}"+mask)
	for _, secret := range encodings(secrets) {
		if utf8.RuneCountInString(secret) < 4 {
			s = replaceWord(s, secret)
		} else {
			s = strings.ReplaceAll(s, secret, mask)
		}
	}
	s = userInfo.ReplaceAllString(s, "${1}"+mask+"@")
	s = credentials.ReplaceAllString(s, "${1} "+mask)
	return passwords.ReplaceAllString(s, "${1}${2}"+mask)
}

// encodings returns every form that a secret may stand in, the longest first,
// so that one which contains another is not left half readable.
func encodings(secrets []string) []string {
	var forms []string
	for _, s := range secrets {
		s = strings.TrimSpace(s)
		if s == "" || strings.Trim(s, "*") == "" {
			continue
		}
		forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s))
	}
	slices.SortFunc(forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return slices.Compact(forms)
}

// replaceWord replaces word where no letter or digit stands next to it.
func replaceWord(s, word string) string {
	var b strings.Builder
	done := 0
	for at := 0; ; {
		i := strings.Index(s[at:], word)
		if i < 0 {
			break
		}
		i += at
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		after, _ := utf8.DecodeRuneInString(s[i+len(word):])
		at = i + len(word)
		if !isWordRune(before) && !isWordRune(after) {
			b.WriteString(s[done:i] + mask)
			done = at
		}
	}
	return b.String() + s[done:]
}

func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// redactReport goes over every text that comes from outside hachaos' own
// vocabulary: from the scenario, the target, and the system.
func redactReport(r *Report, secrets []string) {
	texts := []*string{
		&r.Scenario.Name, &r.Scenario.Variant, &r.Scenario.Description, &r.Scenario.File, &r.Target.URL,
	}
	for i := range r.Reasons {
		texts = append(texts, &r.Reasons[i])
	}
	for i := range r.Warnings {
		texts = append(texts, &r.Warnings[i])
	}
	for i := range r.Faults {
		texts = append(texts, &r.Faults[i].Detail, &r.Faults[i].Error)
	}
	for i := range r.Events {
		texts = append(texts, &r.Events[i].Source, &r.Events[i].What)
	}
	for i := range r.Dependencies {
		texts = append(texts, &r.Dependencies[i].URL, &r.Dependencies[i].Server)
	}
	for i := range r.Resources {
		texts = append(texts, &r.Resources[i].Process)
	}
	for _, text := range texts {
		*text = Redact(*text, secrets...)
	}
	for i := range r.Load {
		redactValues(r.Load[i].Examples, secrets)
		r.Load[i].Workers = redactKeys(r.Load[i].Workers, secrets)
	}
	for i := range r.Probes {
		redactValues(r.Probes[i].Examples, secrets)
	}
}

// longestExcerpt is how many bytes of a text from outside a report shows.
const longestExcerpt = 300

// Excerpt is the beginning of a text that may be long, as an error's, without
// what [Redact] hides: a secret across the end of it leaves nothing behind.
func Excerpt(text string, secrets ...string) string {
	text = Redact(text, secrets...)
	if len(text) > longestExcerpt {
		text = strings.ToValidUTF8(text[:longestExcerpt], "") + "…"
	}
	return text
}

func redactValues(texts map[string]string, secrets []string) {
	for k, text := range texts {
		texts[k] = Excerpt(text, secrets...)
	}
}

func redactKeys(counts map[string]int64, secrets []string) map[string]int64 {
	redacted := make(map[string]int64, len(counts))
	for k, n := range counts {
		redacted[Redact(k, secrets...)] += n
	}
	return redacted
}

package pgsqlite

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// statement is one statement as SQLite is to run it.
type statement struct {
	text    string
	upper   string // in capitals, without what stands in quotes
	verb    string // its first word
	returns bool   // rows
	answer  string // what is answered without asking SQLite; "" to ask it
}

// split returns the statements of a text, without comments and empty ones.
func split(text string) (statements []string) {
	var b strings.Builder
	for _, t := range tokens(text) {
		if t == ";" {
			statements = append(statements, b.String())
			b.Reset()
			continue
		}
		b.WriteString(t)
	}
	statements = append(statements, b.String())
	kept := statements[:0]
	for _, s := range statements {
		if s = strings.TrimSpace(s); s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// token is a quoted string, a name in quotes, a comment, a word, a parameter, a
// cast's colons, or one other character.
var token = regexp.MustCompile(`(?s)'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$\d+|[\pL_][\pL\pN_]*|\d+(?:\.\d+)?|::|\s+|.`)

func tokens(text string) (all []string) {
	for _, t := range token.FindAllString(text, -1) {
		switch {
		case strings.HasPrefix(t, "--"), strings.HasPrefix(t, "/*"):
			all = append(all, " ")
		case strings.TrimSpace(t) == "":
			all = append(all, " ")
		default:
			all = append(all, t)
		}
	}
	return all
}

// now is the time as it is stored (see timeLayout).
const now = `(strftime('%Y-%m-%d %H:%M:%f000+00:00','now'))`

// replacements are what SQLite says otherwise, tried on a statement without its
// quoted parts.
var replacements = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(?i)\b(?:(?:clock|statement|transaction)_timestamp|now) *\( *\)|\bcurrent_timestamp\b`), now},
	{regexp.MustCompile(`(?i)\b(?:big|small)?serial +primary +key\b`), "INTEGER PRIMARY KEY AUTOINCREMENT"},
	{regexp.MustCompile(`(?i)\b(?:bigint|integer|int|int8|int4) +generated +(?:always|by +default) +as +identity +primary +key\b`), "INTEGER PRIMARY KEY AUTOINCREMENT"},
	{regexp.MustCompile(`(?i)\bilike\b`), "LIKE"},
	{regexp.MustCompile(`(?i)\bfor +(?:no +key +)?(?:update|share)(?: +(?:skip +locked|nowait))?`), ""},
	{regexp.MustCompile(`(?i)^truncate +(?:table +)?`), "DELETE FROM "},
	{regexp.MustCompile(`(?i)\bversion *\( *\)`), "'PostgreSQL 15.0 (embedded in hachaos)'"},
	{regexp.MustCompile(`(?i)\bcurrent_database *\( *\)`), "'app'"},
	{regexp.MustCompile(`(?i)\b(?:current_user|session_user)\b`), "'app'"},
	{regexp.MustCompile(`(?i)\bgen_random_uuid *\( *\)`), "(lower(hex(randomblob(4))||'-'||hex(randomblob(2))||'-'||hex(randomblob(2))||'-'||hex(randomblob(2))||'-'||hex(randomblob(6))))"},
	{regexp.MustCompile(`(?i)\bcreate +index +concurrently\b`), "CREATE INDEX"},
	{regexp.MustCompile(`(?i)\bdefault +false\b`), "DEFAULT 0"},
	{regexp.MustCompile(`(?i)\bdefault +true\b`), "DEFAULT 1"},
}

var (
	word     = regexp.MustCompile(`^[\pL_][\pL\pN_]*$`)
	recovery = regexp.MustCompile(`(?i)\bpg_is_in_recovery *\( *\)`)
	showing  = regexp.MustCompile(`(?i)^show +(\w+)`)
	settings = map[string]string{
		"transaction_read_only": "off", "server_version": "15.0", "max_connections": fmt.Sprint(maxConnections),
		"standard_conforming_strings": "on", "timezone": "UTC", "search_path": "public", "transaction_isolation": "serializable",
	}
)

// translate says a statement as SQLite takes it.
func translate(text string, readOnly bool) statement {
	bare, quoted := strip(text)
	inRecovery := "(1=0)"
	if readOnly {
		inRecovery = "(1=1)"
	}
	bare = recovery.ReplaceAllString(bare, inRecovery)
	for _, r := range replacements {
		bare = r.pattern.ReplaceAllString(bare, r.by)
	}
	bare = casts(bare)
	t := statement{upper: strings.ToUpper(bare)}
	t.verb, _, _ = strings.Cut(strings.TrimLeft(t.upper, "( "), " ")
	t.returns = t.verb == "SELECT" || t.verb == "WITH" || t.verb == "VALUES" || strings.Contains(t.upper, " RETURNING ")
	switch t.verb {
	case "SET", "RESET", "DISCARD", "DEALLOCATE", "LISTEN", "UNLISTEN", "ANALYZE", "VACUUM":
		t.answer = t.verb
	case "SHOW":
		t.returns = true
		bare = "SELECT '' AS setting"
		if m := showing.FindStringSubmatch(text); m != nil {
			name := strings.ToLower(m[1])
			value := settings[name]
			if name == "transaction_read_only" && readOnly {
				value = "on"
			}
			bare = fmt.Sprintf("SELECT '%s' AS %s", value, name)
		}
	}
	t.text = restore(bare, quoted)
	return t
}

// casts says "x::type" as SQLite does, where it does as PostgreSQL; to other
// types a value is what it already is.
func casts(bare string) string {
	all := tokens(bare)
	for {
		at := slices.Index(all, "::")
		if at < 1 || at+1 >= len(all) {
			return strings.Join(all, "")
		}
		from := operand(all, at-1)
		value := strings.Join(all[from:at], "")
		switch kindOf(all[at+1]) {
		case kindInt8, kindInt4:
			value = "CAST(" + value + " AS INTEGER)"
		case kindText:
			value = "CAST(" + value + " AS TEXT)"
		case kindFloat:
			value = "CAST(" + value + " AS REAL)"
		}
		all = slices.Replace(all, from, at+2, value)
	}
}

// operand is where the expression begins that ends with a token: a word, or
// what stands in parentheses with the function's name before them.
func operand(all []string, last int) int {
	if all[last] != ")" {
		return last
	}
	depth := 0
	for i := last; i >= 0; i-- {
		switch all[i] {
		case ")":
			depth++
		case "(":
			depth--
		}
		if depth == 0 {
			if i > 0 && word.MatchString(all[i-1]) {
				return i - 1
			}
			return i
		}
	}
	return last
}

// strip puts numbers in the place of quoted parts, so that nothing in them is
// taken for SQL; restore puts them back.
func strip(text string) (bare string, quoted []string) {
	var b strings.Builder
	space := false
	for _, t := range tokens(text) {
		switch {
		case t == " " && space:
			continue
		case t[0] == '\'' || t[0] == '"':
			fmt.Fprintf(&b, "'\x00%d'", len(quoted))
			quoted = append(quoted, t)
		default:
			b.WriteString(t)
		}
		space = t == " "
	}
	return strings.TrimSpace(b.String()), quoted
}

var placeholder = regexp.MustCompile(`'\x00(\d+)'`)

func restore(bare string, quoted []string) string {
	return placeholder.ReplaceAllStringFunc(bare, func(m string) string {
		var i int
		fmt.Sscanf(m[2:], "%d", &i)
		return quoted[i]
	})
}

func isControl(verb string) bool {
	switch verb {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE":
		return true
	}
	return false
}

// writes tells whether a replica refuses it.
func (t statement) writes() bool {
	switch t.verb {
	case "SELECT", "VALUES", "SHOW", "EXPLAIN":
		return false
	case "WITH":
		return strings.Contains(t.upper, "INSERT INTO") || strings.Contains(t.upper, "DELETE FROM") || strings.Contains(t.upper, " SET ")
	}
	return true
}

// tag is what PostgreSQL says when it is done.
func (t statement) tag(rows int64) string {
	switch t.verb {
	case "INSERT":
		return fmt.Sprintf("INSERT 0 %d", rows)
	case "UPDATE", "DELETE":
		return fmt.Sprintf("%s %d", t.verb, rows)
	case "SELECT", "WITH", "VALUES":
		return fmt.Sprintf("SELECT %d", rows)
	case "SHOW":
		return "SHOW"
	}
	words := strings.Fields(t.upper)
	if len(words) > 2 && words[1] == "UNIQUE" {
		words = append(words[:1], words[2:]...)
	}
	return strings.Join(words[:min(2, len(words))], " ")
}

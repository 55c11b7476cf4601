package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hachaos/hachaos/reports"
)

// Mistake is one thing that is wrong with a scenario, and where.
type Mistake struct {
	File    string // as given: a path, "stdin", "--set"
	Line    int    // from 1; 0 if the mistake is the whole file's
	Column  int    // in characters, from 1
	Message string // one line
	Excerpt string // the offending line, and a caret beneath it; "" for the whole file

	rank int // of its source: the file first, then each --set
}

// String returns "file:line:column: message" and the excerpt.
func (m Mistake) String() string {
	if m.Line == 0 {
		return m.File + ": " + m.Message
	}
	s := fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
	if m.Excerpt != "" {
		s += "\n" + m.Excerpt
	}
	return s
}

// Mistakes is the error of a scenario that cannot be played: every mistake that
// was found, in the order of the file.
type Mistakes struct {
	List []Mistake
}

// mostPrinted bounds how many mistakes Error prints.
const mostPrinted = 50

// Error prints the mistakes one after the other, at most 50 of them and then
// how many more there are.
func (m *Mistakes) Error() string {
	var b strings.Builder
	for i, mistake := range m.List {
		if i == mostPrinted {
			fmt.Fprintf(&b, "\nand %d more", len(m.List)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(mistake.String())
	}
	return b.String()
}

// collector gathers mistakes, at most one for each place: what is found later
// at the same place mostly follows from the first.
type collector struct {
	list []Mistake
	seen map[place]bool
}

// place is a position in a source.
type place struct {
	src          *source
	line, column int
}

func (c *collector) add(at place, message string) {
	if c.seen[at] {
		return
	}
	if c.seen == nil {
		c.seen = map[place]bool{}
	}
	c.seen[at] = true
	m := Mistake{File: at.src.name, Line: at.line, Column: at.column, Message: oneLine(reports.Redact(message)), rank: at.src.rank}
	if at.line > 0 {
		m.Excerpt = at.src.excerpt(at.line, at.column)
	}
	c.list = append(c.list, m)
}

// err returns the mistakes as an error, or nil if there are none.
func (c *collector) err() error {
	if len(c.list) == 0 {
		return nil
	}
	slices.SortStableFunc(c.list, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Mistakes{List: c.list}
}

// source is a text that values come from: a file, or one --set.
type source struct {
	name  string
	lines []string
	rank  int // 0 for the file, then in the order of --set

	secret []bool // lines that belong to a secret begun above; nil until asked for
}

func newSource(name, text string) *source {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return &source{name: name, lines: lines}
}

// widest is how many characters of a long line an excerpt shows.
const widest = 100

// excerpt returns the line, numbered, and beneath it a caret under column. Of a
// long line it shows the part around the column. Tabs stay tabs, in the line of
// the caret too, so that both are shifted alike.
func (s *source) excerpt(line, column int) string {
	if line < 1 || line > len(s.lines) {
		return ""
	}
	runes := []rune(s.concealed(line))
	column = max(1, min(column, len(runes)+1))
	from := 0
	if len(runes) > widest {
		from = max(0, min(column-widest/2, len(runes)-widest))
		runes = runes[from:min(len(runes), from+widest)]
	}
	number := fmt.Sprint(line)
	var text, below strings.Builder
	for i, r := range runes {
		pad := ' '
		switch {
		case r == '\t':
			pad = '\t'
		case !unicode.IsPrint(r):
			r = unicode.ReplacementChar
		}
		text.WriteRune(r)
		if from+i < column-1 {
			below.WriteRune(pad)
		}
	}
	return fmt.Sprintf("  %s | %s\n  %s | %s^", number, text.String(), strings.Repeat(" ", len(number)), below.String())
}

// longest is how many characters of a message are kept.
const longest = 400

// oneLine keeps a message on one line, bounded and free of control characters,
// whatever values it quotes.
func oneLine(s string) string {
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

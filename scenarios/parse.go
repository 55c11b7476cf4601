package scenarios

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of what is read, far above any scenario and far below what would hurt.
const (
	maxTokens = 30_000 // the parser's time is quadratic in some of them
	maxDepth  = 40
	maxNodes  = 50_000 // once aliases are expanded
)

// parseYAML reads one document of src. It returns nil after reporting a mistake
// that leaves nothing to look at; a file without any value is such a mistake.
func parseYAML(src *source, data []byte, c *collector) *node {
	if message := notText(data); message != "" {
		c.add(place{src: src}, message)
		return nil
	}
	file, err := parseTokens(string(data))
	var syntax *yaml.SyntaxError
	switch {
	case errors.As(err, &syntax):
		c.add(syntaxPlace(src, syntax), syntaxMessage(src, syntax))
		return nil
	case err != nil:
		c.add(place{src: src}, err.Error())
		return nil
	}
	p := &converter{src: src, anchors: map[string]*node{}, c: c}
	var root *node
	for _, doc := range file.Docs {
		if _, directive := doc.Body.(*ast.DirectiveNode); doc.Body == nil || directive {
			continue
		}
		if root != nil {
			at := p.place(doc.Body.GetToken())
			if doc.Start != nil {
				at = p.place(doc.Start)
			}
			c.add(at, "a second document begins here; a file holds one scenario")
			return nil
		}
		root = p.convert(doc.Body, 0)
		if p.stopped {
			return nil
		}
	}
	if root == nil {
		c.add(place{src: src}, "the file is empty: nothing but space and comments")
	}
	return root
}

// notText says why data cannot be YAML, or "".
func notText(data []byte) string {
	switch {
	case strings.HasPrefix(string(data), "\xff\xfe"), strings.HasPrefix(string(data), "\xfe\xff"):
		return "the file is UTF-16; a scenario is UTF-8"
	case strings.ContainsRune(string(data), 0), !utf8.Valid(data):
		return "the file is not text (it is neither UTF-8 nor ASCII)"
	}
	return ""
}

// parseTokens parses text within the bounds. A panic of the parser, which would
// be a bug of the library, becomes an error.
func parseTokens(text string) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, fmt.Errorf("this is not YAML (the parser gave up: %v)", r)
		}
	}()
	tokens := lexer.Tokenize(text)
	if len(tokens) > maxTokens {
		return nil, fmt.Errorf("the file has more than %d elements; no scenario needs as many", maxTokens)
	}
	if t := firstTooDeep(tokens); t != nil {
		return nil, &yaml.SyntaxError{Message: tooDeep, Token: t}
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// firstTooDeep returns the token at which a line nests too deep for the parser,
// whose time is quadratic in that; nil if none does. Nesting over several lines
// takes indentation, which the file's size bounds.
func firstTooDeep(tokens token.Tokens) *token.Token {
	flow, row, line := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType: // "- - - x"
			if t.Position.Line != line {
				row, line = 0, t.Position.Line
			}
			row++
		}
		if flow > maxDepth || row > maxDepth {
			return t
		}
	}
	return nil
}

var tooDeep = fmt.Sprintf("nested more than %d levels deep", maxDepth)

func syntaxPlace(src *source, err *yaml.SyntaxError) place {
	if err.Token == nil || err.Token.Position == nil {
		return place{src: src}
	}
	return place{src, err.Token.Position.Line, max(1, err.Token.Position.Column)}
}

func syntaxMessage(src *source, err *yaml.SyntaxError) string {
	if err.Message == tooDeep {
		return tooDeep
	}
	at := syntaxPlace(src, err)
	if at.line > 0 && at.line <= len(src.lines) {
		line := src.lines[at.line-1]
		if indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; strings.Contains(indent, "\t") {
			return "a tab in the indentation: YAML is indented with spaces"
		}
	}
	return "not valid YAML: " + err.Message
}

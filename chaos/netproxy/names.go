package netproxy

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Names is a list of words whose case means nothing. Its JSON is a list, or one
// string with commas or spaces between them, as command lines can send it.
type Names []string

// UnmarshalJSON reads both forms.
func (n *Names) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*n = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		return nil
	}
	var list []string
	err := json.Unmarshal(b, &list)
	*n = list
	return err
}

// matches tells whether name is in the list, or the list is empty.
func (n Names) matches(name string) bool {
	return len(n) == 0 || slices.ContainsFunc(n, func(other string) bool { return strings.EqualFold(other, name) })
}

// pattern is a regular expression that is compiled when it is first read.
type pattern struct {
	text     string
	compiled *regexp.Regexp
}

// compile returns the error in text; "" matches everything.
func (p *pattern) compile(text string) (err error) {
	if p.compiled == nil || p.text != text {
		p.text = text
		p.compiled, err = regexp.Compile(text)
	}
	return err
}

func (p *pattern) matches(b []byte) bool { return p.compiled.Match(b) }

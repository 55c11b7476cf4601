package scenarios

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/hachaos/hachaos/reports"
)

// text reads what has a reader of its own.
func (d *decoder) text(n, around *node, v reflect.Value) {
	var err error
	if objective, ok := v.Addr().Interface().(*reports.Objective); ok {
		*objective, err = reports.ParseObjective(n.text)
	} else {
		err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text))
	}
	at := n.at
	if syntax := (*reports.ObjectiveError)(nil); errors.As(err, &syntax) {
		at = n.within(syntax.Column - 1)
		err = errors.New(syntax.Message)
	}
	if err == nil && v.Type() == durationType && v.Int() < 0 {
		err = fmt.Errorf("%s is negative: a time here is never below 0s", n.text)
	}
	if err != nil {
		d.mistake(n, around, at, err.Error())
	}
}

// setScalar fills v and returns what is wrong, or "".
func setScalar(n *node, v reflect.Value, tag keyTag) string {
	switch {
	case v.Kind() == reflect.String:
		if n.text == "" && tag.fallback != "" {
			return "an empty text (leave the key out for its default, " + tag.fallback + ")"
		}
		if len(tag.enum) > 0 && !slices.Contains(tag.enum, n.text) {
			return notOneOf(n.text, tag.enum)
		}
		v.SetString(n.text)
	case v.Kind() == reflect.Bool:
		if n.quoted || (n.text != "true" && n.text != "false") {
			return fmt.Sprintf("expected true or false, found %s", describe(n))
		}
		v.SetBool(n.text == "true")
	case v.CanInt() || v.CanUint():
		return setNumber(n, v, tag)
	case v.CanFloat():
		f, err := strconv.ParseFloat(n.text, 64)
		if err != nil || n.quoted {
			return fmt.Sprintf("expected a number, found %s", describe(n))
		}
		v.SetFloat(f)
	}
	return ""
}

// plainValue returns what n is where no type says what it should be: a text, a
// truth value, an int64 or a float64, a list of these, a mapping.
func plainValue(n *node) any {
	switch n.kind {
	case sequence:
		list := []any{}
		for _, item := range n.items {
			list = append(list, plainValue(item))
		}
		return list
	case mapping:
		return map[string]any{}
	case null:
		return nil
	}
	if !n.quoted {
		if n.text == "true" || n.text == "false" {
			return n.text == "true"
		}
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return i
		}
		if f, err := strconv.ParseFloat(n.text, 64); err == nil {
			return f
		}
	}
	return n.text
}

func setNumber(n *node, v reflect.Value, tag keyTag) string {
	if v.CanUint() {
		u, err := strconv.ParseUint(n.text, 10, v.Type().Bits())
		if err != nil || n.quoted {
			return fmt.Sprintf("expected a whole number from 0, found %s", describe(n))
		}
		v.SetUint(u)
		return ""
	}
	i, err := strconv.ParseInt(strings.TrimPrefix(n.text, "+"), 10, v.Type().Bits())
	switch {
	case err != nil || n.quoted:
		return fmt.Sprintf("expected a whole number, found %s", describe(n))
	case tag.minimum != nil && i < *tag.minimum:
		return fmt.Sprintf("%d is below %d, the least that makes sense here", i, *tag.minimum)
	case tag.maximum != nil && i > *tag.maximum:
		return fmt.Sprintf("%d is above %d, the most that makes sense here", i, *tag.maximum)
	}
	v.SetInt(i)
	return ""
}

func notOneOf(text string, options []string) string {
	message := fmt.Sprintf("%q is not one of %s", shorten(text), strings.Join(options, ", "))
	if len(options) == 1 {
		message = fmt.Sprintf("%q is not %s, the only choice here", shorten(text), options[0])
	}
	for _, o := range options {
		if levenshtein.ComputeDistance(text, o) <= len(o)/3 {
			return message + " (did you mean " + o + "?)"
		}
	}
	return message
}

// within returns the place of the character at offset in a scalar's text, or the
// scalar's own place if the text is written so that it cannot be told, with
// escapes say.
func (n *node) within(offset int) place {
	at := n.at
	if n.kind != scalar || at.line < 1 || at.line > len(at.src.lines) || offset < 0 || offset > len([]rune(n.text)) {
		return at
	}
	line := []rune(at.src.lines[at.line-1])
	for _, open := range []int{0, 1} { // an opening quote
		from := at.column - 1 + open
		if from <= len(line) && strings.HasPrefix(string(line[from:]), n.text) && n.text != "" {
			at.column = from + offset + 1
			return at
		}
	}
	return n.withinLines([]rune(n.text), offset)
}

// withinLines is within for a text of several lines. They are indented and may
// be folded, which changes nothing but space: whatever else is in the text
// stands in the source in the same order.
func (n *node) withinLines(text []rune, offset int) place {
	at := place{n.at.src, n.at.line, n.at.column}
	switch line := []rune(at.src.lines[at.line-1]); {
	case at.column > len(line):
	case line[at.column-1] == '|' || line[at.column-1] == '>': // and what else a block's head says
		at.line, at.column = at.line+1, 1
	case line[at.column-1] == '"' || line[at.column-1] == '\'':
		at.column++
	}
	for i := 0; ; i++ {
		for i < offset && isSpace(text[i]) {
			i++
		}
		if i < offset || i < len(text) && !isSpace(text[i]) {
			if at = at.skipSpace(); at.line > len(at.src.lines) || at.rune() != text[i] {
				return n.at
			}
		}
		if i >= offset {
			return at
		}
		at.column++
	}
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// rune is what stands at a place; 0 behind a line's end.
func (p place) rune() rune {
	if line := []rune(p.src.lines[p.line-1]); p.column <= len(line) {
		return line[p.column-1]
	}
	return 0
}

// skipSpace goes on to the next place where something stands, or behind the last
// line.
func (p place) skipSpace() place {
	for p.line <= len(p.src.lines) && (p.rune() == 0 || isSpace(p.rune())) {
		if p.rune() == 0 {
			p.line, p.column = p.line+1, 1
		} else {
			p.column++
		}
	}
	return p
}

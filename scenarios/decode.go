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
	"github.com/hachaos/hachaos/reports/units"
)

// decoder fills Go values from nodes by their yaml tags and reports what does
// not fit. The tags that JSON Schema is made from (required, enum, minimum,
// maximum) hold here too.
type decoder struct {
	c *collector

	// tainted are the nodes whose mistakes were reported, and those around
	// them: what is missing there may only have been misspelt.
	tainted map[*node]bool
}

// field is a key of a struct.
type field struct {
	key      string
	index    []int
	required bool
	tag      keyTag
}

// keyTag holds the constraints of a field's jsonschema tag.
type keyTag struct {
	fallback         string // its default
	enum             []string
	minimum, maximum *int64
}

// fieldsOf lists the keys of a struct type, those of inlined structs among
// them. A key whose JSON name has neither omitempty nor omitzero is required,
// as in the JSON Schema.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
		case key != "" && key != "-":
			constraints := f.Tag.Get("jsonschema")
			json := f.Tag.Get("json")
			fields = append(fields, field{
				key:      key,
				index:    []int{i},
				required: strings.HasPrefix(constraints, "required") || !strings.Contains(json, ",omit"),
				tag:      parseKeyTag(constraints),
			})
		}
	}
	return fields
}

func parseKeyTag(s string) keyTag {
	var tag keyTag
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "default":
			tag.fallback = value
		case "enum":
			tag.enum = append(tag.enum, value)
		case "minimum":
			tag.minimum = &n
		case "maximum":
			tag.maximum = &n
		}
	}
	return tag
}

// mistake reports that n is wrong and taints it and the mappings around it.
func (d *decoder) mistake(n *node, around *node, at place, message string) {
	d.c.add(at, message)
	d.tainted[n] = true
	if around != nil {
		d.tainted[around] = true
	}
}

// object fills a struct from a mapping, which stands under a key at keyAt.
func (d *decoder) object(n *node, v reflect.Value, keyAt place) {
	fields := fieldsOf(v.Type())
	for _, e := range n.entries {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key })
		if i < 0 {
			d.mistake(n, nil, e.at, unknownKey(e.key, fields))
			continue
		}
		d.value(e.value, n, v.FieldByIndex(fields[i].index), fields[i].tag, e.at)
	}
	for _, f := range fields {
		if f.required && n.get(f.key) == nil && !d.tainted[n] {
			d.c.add(keyAt, fmt.Sprintf("%s is missing here", f.key))
		}
	}
}

func unknownKey(key string, fields []field) string {
	key = shorten(key)
	best, distance := "", len(key)/3+2
	for _, f := range fields {
		folded := strings.ReplaceAll(strings.ToLower(key), "-", "_")
		if d := levenshtein.ComputeDistance(folded, f.key); d < distance {
			best, distance = f.key, d
		}
	}
	if best != "" {
		return fmt.Sprintf("unknown key %q (did you mean %s?)", key, best)
	}
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	if len(keys) == 0 {
		return fmt.Sprintf("unknown key %q: nothing can be set here", key)
	}
	return fmt.Sprintf("unknown key %q (known here: %s)", key, strings.Join(keys, ", "))
}

var (
	textType      = reflect.TypeFor[encoding.TextUnmarshaler]()
	objectiveType = reflect.TypeFor[reports.Objective]()
	durationType  = reflect.TypeFor[units.Duration]()
)

// value fills v from n, which stands in around under a key at keyAt.
func (d *decoder) value(n, around *node, v reflect.Value, tag keyTag, keyAt place) {
	if n.broken {
		d.tainted[n], d.tainted[around] = true, true
		return
	}
	if v.Kind() == reflect.Pointer && n.kind != null {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if n.kind == null {
		if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct {
			d.mistake(n, around, keyAt, "nothing stands after this key (write {} for its defaults)")
		}
		return
	}
	if n.kind == scalar && (v.Type() == objectiveType || v.Addr().Type().Implements(textType)) {
		d.text(n, around, v)
		return
	}
	wrong := func(expected string) {
		d.mistake(n, around, n.at, fmt.Sprintf("expected %s, found %s", expected, describe(n)))
	}
	switch v.Kind() {
	case reflect.Struct:
		switch {
		case v.Type() == objectiveType:
			wrong("an objective such as availability >= 99%")
		case n.kind != mapping:
			wrong("a mapping (key: value)")
		default:
			d.object(n, v, keyAt)
		}
	case reflect.Slice:
		if n.kind != sequence {
			wrong("a list")
			return
		}
		if v.IsNil() || v.Len() != len(n.items) {
			v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
		}
		for i, item := range n.items {
			if item.kind == null {
				d.mistake(item, n, item.at, "an empty entry")
				continue
			}
			d.value(item, n, v.Index(i), tag, item.at)
		}
	case reflect.Map:
		if n.kind != mapping {
			wrong("a mapping (name: text)")
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for _, e := range n.entries {
			text := reflect.New(v.Type().Elem()).Elem()
			d.value(e.value, n, text, keyTag{}, e.at)
			v.SetMapIndex(reflect.ValueOf(e.key), text)
		}
	default:
		if n.kind != scalar {
			wrong(expectation(v))
			return
		}
		if message := setScalar(n, v, tag); message != "" {
			d.mistake(n, around, n.at, message)
		}
	}
}

func expectation(v reflect.Value) string {
	switch {
	case v.Addr().Type().Implements(textType):
		return "a single value"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.CanInt(), v.CanUint():
		return "a whole number"
	case v.CanFloat():
		return "a number"
	}
	return "a text"
}

func describe(n *node) string {
	if n.kind == scalar {
		return strconv.Quote(shorten(n.text))
	}
	return n.kind.String()
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

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

// within returns the place of the character at offset in a scalar's text, if
// the text stands in its line as it is; else the scalar's own place.
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
	return at
}

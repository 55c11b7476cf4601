package scenarios

import (
	"encoding"
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
		d.list(n, v, tag)
	case reflect.Map:
		if n.kind != mapping {
			wrong("a mapping (name: text)")
			return
		}
		d.table(n, v)
	case reflect.Interface:
		if plain := plainValue(n); plain != nil {
			v.Set(reflect.ValueOf(plain))
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

// list decodes each item of n into a slice.
func (d *decoder) list(n *node, v reflect.Value, tag keyTag) {
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
}

// table decodes each entry of n into a map by name.
func (d *decoder) table(n *node, v reflect.Value) {
	before := v.Interface()
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range n.entries {
		item := reflect.New(v.Type().Elem()).Elem()
		if old := reflect.ValueOf(before).MapIndex(reflect.ValueOf(e.key)); old.IsValid() {
			item.Set(old) // with the defaults that were set meanwhile
		}
		if e.value.kind == null && item.Kind() == reflect.Struct {
			d.mistake(e.value, n, e.at, "nothing stands after this key")
		}
		d.value(e.value, n, item, keyTag{}, e.at)
		v.SetMapIndex(reflect.ValueOf(e.key), item)
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

// shorten bounds what a message quotes, and hides the secrets in it first: cut
// off they could not be told any more.
func shorten(s string) string {
	s = reports.Mask(s)
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

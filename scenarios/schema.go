package scenarios

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/targets"
	"github.com/invopop/jsonschema"
)

// JSONSchema returns the JSON Schema (draft 2020-12) of a scenario file,
// indented. It is made from the types that files are decoded into.
func JSONSchema() ([]byte, error) {
	schema := reflectSchema()
	return json.MarshalIndent(schema, "", "  ")
}

func reflectSchema() *jsonschema.Schema {
	// Editors ignore what stands beside a $ref, descriptions too, so there are none.
	r := &jsonschema.Reflector{Anonymous: true, DoNotReference: true, Mapper: mapType}
	schema := r.Reflect(&Scenario{})
	schema.Title = "hachaos scenario"
	complete(schema, reflect.TypeFor[Scenario]())
	return schema
}

// mapType describes the types that are written otherwise than their fields say.
func mapType(t reflect.Type) *jsonschema.Schema {
	switch t {
	case durationType:
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "string", Pattern: `^(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w))+)$`, Examples: []any{"250ms", "15s", "1h30m"}},
			{Const: 0},
		}}
	case objectiveType:
		return &jsonschema.Schema{Type: "string", Pattern: `(>=|<=|==|>|<)`, Examples: []any{"availability >= 99.9%", "downtime < 1s"}}
	case reflect.TypeFor[map[string]string]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: plainText()}
	case reflect.TypeFor[chaos.Attributes]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[[]string]():
		return &jsonschema.Schema{Type: "array", Items: plainText()}
	}
	return nil
}

// plainText is a text, which YAML may take for a number or a truth value.
func plainText() *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
}

// JSONSchemaExtend lets a probe be written false.
func (Probe) JSONSchemaExtend(s *jsonschema.Schema) {
	object := *s
	*s = jsonschema.Schema{OneOf: []*jsonschema.Schema{&object, {Type: "boolean"}, {Enum: []any{"on", "off", "yes", "no"}}}}
}

// exactlyOne lists, for the types that have such keys, of which keys exactly one
// is given.
var exactlyOne = map[reflect.Type][][]string{
	reflect.TypeFor[Target]():                {{"cluster", "single", "command", "url"}},
	reflect.TypeFor[targets.CommandReload](): {{"signal", "run"}},
	reflect.TypeFor[loadgen.Stream]():        {{"closed", "open"}, {"duration", "count"}},
	reflect.TypeFor[loadgen.Open]():          {{"rate", "ramp", "sine", "poisson"}},
	reflect.TypeFor[chaos.Fault]():           {chaos.KindNames()},
}

// complete adds to s, made from t, and to all beneath it what the library
// leaves out: the choice between keys, and the defaults of types that are
// written in more than one form.
func complete(s *jsonschema.Schema, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice && s.Items != nil {
		complete(s.Items, t.Elem())
		return
	}
	if t.Kind() == reflect.Map && s.AdditionalProperties != nil {
		complete(s.AdditionalProperties, t.Elem())
		return
	}
	if s.Properties == nil && len(s.OneOf) > 0 {
		s = s.OneOf[0]
	}
	if t.Kind() != reflect.Struct || s.Properties == nil {
		return
	}
	for _, keys := range exactlyOne[t] {
		choice := &jsonschema.Schema{}
		for _, key := range keys {
			choice.OneOf = append(choice.OneOf, &jsonschema.Schema{Required: []string{key}})
		}
		s.AllOf = append(s.AllOf, choice)
	}
	for _, f := range fieldsOf(t) {
		property, ok := s.Properties.Get(f.key)
		if !ok {
			continue
		}
		structField := t.FieldByIndex(f.index)
		for part := range strings.SplitSeq(structField.Tag.Get("jsonschema"), ",") {
			if value, isDefault := strings.CutPrefix(part, "default="); isDefault && property.Default == nil {
				property.Default = value
			}
		}
		complete(property, structField.Type)
		allowNumbers(property, f.tag)
		if !f.required && !isChosen(structField.Type) {
			allowNothing(property)
		}
	}
}

// allowNumbers lets a text be one that YAML takes for a number or a truth value.
func allowNumbers(s *jsonschema.Schema, tag keyTag) {
	if s.Type != "string" {
		return
	}
	s.Type = ""
	if len(tag.enum) == 0 {
		s.AnyOf = plainText().AnyOf
		return
	}
	for _, choice := range tag.enum {
		if number, err := strconv.ParseFloat(choice, 64); err == nil {
			s.Enum = append(s.Enum, number)
		}
	}
}

// isChosen tells whether a key of this type says something by being there, so that
// nothing may not stand after it.
func isChosen(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

// allowNothing lets nothing stand after a key, which is then as one left out: a
// list, say, whose entries are all commented out.
func allowNothing(s *jsonschema.Schema) {
	nothing := &jsonschema.Schema{Type: "null"}
	switch {
	case len(s.OneOf) > 0:
		s.OneOf = append(s.OneOf, nothing)
	case len(s.AnyOf) > 0:
		s.AnyOf = append(s.AnyOf, nothing)
	case len(s.Enum) > 0:
		s.Enum = append(s.Enum, nil)
	case s.Type != "":
		// The library's own field holds one type.
		s.Extras = map[string]any{"type": []string{s.Type, "null"}}
		s.Type = ""
	}
}

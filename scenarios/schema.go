package scenarios

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/hachaos/hachaos/reports"
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
	addDefaults(schema, reflect.TypeFor[Scenario]())
	return schema
}

// mapType describes the types that are written otherwise than their fields say.
func mapType(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[reports.Objective]():
		return &jsonschema.Schema{Type: "string", Pattern: `(>=|<=|==|>|<)`, Examples: []any{"availability >= 99.9%", "downtime < 1s"}}
	case reflect.TypeFor[map[string]string]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: plainText()}
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

// JSONSchemaExtend demands exactly one kind of target.
func (Target) JSONSchemaExtend(s *jsonschema.Schema) {
	for _, kind := range []string{"cluster", "single", "command", "url"} {
		s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: []string{kind}})
	}
}

// addDefaults adds the defaults of tags that the library leaves out, which it
// does for types that are written in more than one form.
func addDefaults(s *jsonschema.Schema, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice && s.Items != nil {
		addDefaults(s.Items, t.Elem())
		return
	}
	if s.Properties == nil && len(s.OneOf) > 0 {
		s = s.OneOf[0]
	}
	if t.Kind() != reflect.Struct || s.Properties == nil {
		return
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
		addDefaults(property, structField.Type)
	}
}

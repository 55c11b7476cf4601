package scenarios

import (
	"bytes"
	"encoding"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/targets"
	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/app/protect"
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSchemaAgreesWithWalker compares, for every type, the keys that the schema
// knows and demands with those that the walker does.
func TestSchemaAgreesWithWalker(t *testing.T) {
	compare(t, "scenario", reflectSchema(), reflect.TypeFor[Scenario]())
}

func compare(t *testing.T, path string, s *jsonschema.Schema, typ reflect.Type) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() == reflect.Slice {
		if s.Items == nil {
			t.Errorf("%s: the schema has no items", path)
			return
		}
		compare(t, path+"[]", s.Items, typ.Elem())
		return
	}
	if typ.Kind() == reflect.Map && typ.Elem().Kind() == reflect.Struct {
		if s.AdditionalProperties == nil {
			t.Errorf("%s: the schema does not say what stands in it", path)
			return
		}
		compare(t, path+".*", s.AdditionalProperties, typ.Elem())
		return
	}
	if s.Properties == nil && len(s.OneOf) > 0 {
		s = s.OneOf[0]
	}
	hasReader := reflect.PointerTo(typ).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) && typ.Kind() != reflect.Struct
	if typ.Kind() != reflect.Struct || typ == objectiveType || hasReader || typ == reflect.TypeFor[chaos.Count]() || typ == reflect.TypeFor[loadgen.StatusRange]() {
		return
	}
	fields := fieldsOf(typ)
	var keys, required []string
	for _, f := range fields {
		keys = append(keys, f.key)
		if f.required {
			required = append(required, f.key)
		}
	}
	var known []string
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		known = append(known, p.Key)
	}
	for _, list := range [][]string{keys, required, known, s.Required} {
		slices.Sort(list)
	}
	if !slices.Equal(keys, known) {
		t.Errorf("%s: the walker knows %q, the schema %q", path, keys, known)
	}
	if !slices.Equal(required, s.Required) {
		t.Errorf("%s: the walker demands %q, the schema %q", path, required, s.Required)
	}
	if s.AdditionalProperties != jsonschema.FalseSchema {
		t.Errorf("%s: the schema allows other keys", path)
	}
	for _, f := range fields {
		property, _ := s.Properties.Get(f.key)
		if property == nil {
			continue
		}
		if property.Description == "" && !strings.HasPrefix(path, "scenario.load[].open.") {
			t.Errorf("%s.%s has no description", path, f.key)
		}
		for _, choice := range f.tag.enum {
			if typ.FieldByIndex(f.index).Type.Kind() == reflect.String && !slices.Contains(property.Enum, any(choice)) {
				t.Errorf("%s.%s: the schema lacks the choice %s", path, f.key, choice)
			}
		}
		if fieldType := typ.FieldByIndex(f.index).Type; takesNothing(property) == (f.required || isChosen(fieldType)) && fieldType.Kind() != reflect.Interface {
			t.Errorf("%s.%s: the schema takes nothing after it: %v", path, f.key, takesNothing(property))
		}
		compare(t, path+"."+f.key, property, typ.FieldByIndex(f.index).Type)
	}
}

func takesNothing(s *jsonschema.Schema) bool {
	types, _ := s.Extras["type"].([]string)
	isNull := func(s *jsonschema.Schema) bool { return s.Type == "null" }
	return slices.Contains(types, "null") || slices.Contains(s.Enum, nil) || slices.ContainsFunc(s.OneOf, isNull) || slices.ContainsFunc(s.AnyOf, isNull)
}

// TestTagsAgreeWithDefaults compares the defaults that the tags, and so the
// schema, tell with those that are filled in.
func TestTagsAgreeWithDefaults(t *testing.T) {
	full := func() app.Config {
		return app.Config{Crash: &app.Crash{}, Pool: &protect.Pool{}, Retry: &protect.Retry{}, Breaker: &protect.Breaker{}, Cache: &app.Cache{}}
	}
	s := &Scenario{
		Target: Target{
			Cluster: &cluster.Config{App: full()},
			Single:  &targets.SingleConfig{App: full()},
			Command: &targets.CommandConfig{},
		},
		Load:  []loadgen.Stream{{Closed: &loadgen.Closed{}}, {Open: &loadgen.Open{}}},
		Chaos: []chaos.Fault{{Kill: &chaos.Kill{}}, {Pause: &chaos.Pause{}}, {Exit: &chaos.Exit{}}, {Latency: &chaos.Latency{}}, {Toxic: &chaos.Toxic{}}, {Stop: &chaos.Stop{}}},
		Dependencies: map[string]backend.Config{
			"a": {Kind: "redis"}, "b": {Kind: "redis", Topology: "sentinel"}, "c": {Kind: "postgres", Replicas: 1},
		},
		Budget: &Budget{},
	}
	s.setDefaults()
	compareDefaults(t, "scenario", reflect.ValueOf(s).Elem())
}

func compareDefaults(t *testing.T, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			compareDefaults(t, path, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			compareDefaults(t, path+"[]", v.Index(i))
		}
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			field := v.FieldByIndex(f.index)
			if f.tag.fallback != "" {
				if field.Kind() == reflect.Pointer && field.IsNil() {
					continue // set for other streams only
				}
				want := reflect.New(reflect.Indirect(field).Type()).Elem()
				(&decoder{c: &collector{}, tainted: map[*node]bool{}}).value(&node{kind: scalar, text: f.tag.fallback, at: place{src: &source{}}}, nil, want, keyTag{}, place{})
				if got := reflect.Indirect(field).Interface(); got != want.Interface() {
					t.Errorf("%s.%s: the tag says %s, filled in is %v", path, f.key, f.tag.fallback, got)
				}
			}
			compareDefaults(t, path+"."+f.key, field)
		}
	}
}

// TestSchemaAcceptsAndRefuses validates the built-in scenarios, which the
// schema must accept, and some bad ones that it must not.
func TestSchemaAcceptsAndRefuses(t *testing.T) {
	validate := schemaValidator(t)
	good := map[string]string{"minimal": minimal, "settable": settable, "templated": templated, "probe": minimal + "probe: false\n"}
	for _, e := range Library() {
		source, _ := Source(e.Name)
		good[e.Name] = string(source)
	}
	for _, name := range slices.Sorted(maps.Keys(good)) {
		if err := validate([]byte(good[name])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"unknown-key", "no-target", "empty-target", "two-targets", "negative", "wrong-kinds", "bad-values", "faults", "streams", "probe"} {
		data, err := os.ReadFile(filepath.Join("testdata", "bad", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if validate(data) == nil {
			t.Errorf("the schema accepts %s", name)
		}
	}
}

// schemaValidator returns what validates a scenario's text by the schema.
func schemaValidator(t *testing.T) func([]byte) error {
	t.Helper()
	text, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := validator.NewCompiler()
	if err := compiler.AddResource("scenario.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(data []byte) error {
		asJSON, err := yaml.YAMLToJSON(data)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := validator.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(instance)
	}
}

// TestSchemaAgreesWithLoad wants the same of the schema and of what reads a
// scenario: values that can be written in more than one way, and keys with
// nothing after them.
func TestSchemaAgreesWithLoad(t *testing.T) {
	validate := schemaValidator(t)
	target := func(cluster string) string {
		return "name: part\ntarget: {cluster: {" + cluster + "}}\nload: [{name: main, closed: {concurrency: 1}, duration: 5s}]\n"
	}
	load := func(stream string) string {
		return "name: part\ntarget: {cluster: {workers: 2}}\nload: [{name: main, closed: {concurrency: 1}, duration: 5s, " + stream + "}]\n"
	}
	for text, good := range map[string]bool{
		minimal + "warmup: 0\n":                               true,
		minimal + "warmup: \"0\"\n":                           true,
		minimal + "warmup: .5s\n":                             true,
		minimal + "warmup: 5\n":                               false,
		minimal + "warmup: -1s\n":                             false,
		minimal + "chaos: [{name: crash, kill: {}, at: 0}]\n": true,
		minimal + "chaos:\nslo:\n":                            true,
		minimal + "seed:\nwarmup:\nprobe:\nbudget: {objective: 99%, window: }\n": true,
		minimal + "chaos: [{name: crash, kill: , at: 1s}]\n":                     false,
		minimal + "budget:\n":                                                     false,
		"name: part\ntarget: {cluster: {}}\nload:\n":                              false,
		load("failure_pause: 0"):                                                  true,
		load("requests: [{method: POST, body: 5}]"):                               true,
		load("requests: [{path: }]"):                                              true,
		load("requests: [{path: {}}]"):                                            false,
		target("dispatch: proxy, tls: {self_signed: true, min_version: 1.2}"):     true,
		target("dispatch: proxy, tls: {self_signed: true, min_version: \"1.3\"}"): true,
		target("dispatch: proxy, tls: {self_signed: true, min_version: 1.1}"):     false,
		target("dispatch: proxy, tls: "):                                          false,
		target("dispatch: , weights: "):                                           true,
	} {
		bySchema := validate([]byte(text))
		_, byLoad := LoadBytes("part.yaml", []byte(text), Options{})
		if (bySchema == nil) != good || (byLoad == nil) != good {
			t.Errorf("%s\nwant %v, the schema says %v, hachaos %v", text, good, bySchema, byLoad)
		}
	}
}

func TestSchemaIsJSON(t *testing.T) {
	text, err := JSONSchema()
	if err != nil || !json.Valid(text) {
		t.Fatalf("%s, %v", text, err)
	}
	if bytes.Contains(text, []byte(`"$ref"`)) {
		t.Error("editors ignore what stands beside a $ref")
	}
}

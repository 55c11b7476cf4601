package chaos

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/hachaos/hachaos/chaos/netproxy"
)

// Toxic is any toxic of the chaos proxy, until it is reverted.
type Toxic struct {
	Spot       `yaml:",inline"`
	Type       string     `yaml:"type" json:"type" jsonschema:"description=Which toxic; hachaos proxy --help lists them"`
	Stream     string     `yaml:"stream" json:"stream,omitempty" jsonschema:"description=What it acts on: answers (downstream) or requests (upstream),enum=downstream,enum=upstream,default=downstream"`
	Toxicity   *float64   `yaml:"toxicity" json:"toxicity,omitempty" jsonschema:"description=Share of the connections that it acts on; from 0 to 1,default=1"`
	Attributes Attributes `yaml:"attributes" json:"attributes,omitempty" jsonschema:"description=Its parameters as in Toxiproxy's API; times in milliseconds"`
}

// Attributes are parameters of a toxic as they are written: texts, truth values,
// int64 and float64, and lists of these.
type Attributes map[string]any

// made returns the attributes of a toxic of type typ, with their defaults.
func (a Attributes) made(typ string) (netproxy.Attributes, error) {
	attributes := netproxy.AttributesOf(typ)
	if attributes == nil {
		return nil, fmt.Errorf("no toxic is of type %q", typ)
	}
	text, err := json.Marshal(a)
	if err == nil && len(a) > 0 {
		err = json.Unmarshal(text, attributes)
	}
	return attributes, err
}

func (x *Toxic) aim(_ context.Context, t Target, s Shot) (*injection, error) {
	attributes, err := x.Attributes.made(x.Type)
	if err != nil {
		return nil, err
	}
	toxicity := 1.0
	var notes []string
	for _, key := range slices.Sorted(maps.Keys(x.Attributes)) {
		notes = append(notes, fmt.Sprintf("%s %v", key, x.Attributes[key]))
	}
	if x.Toxicity != nil && *x.Toxicity < 1 {
		toxicity = *x.Toxicity
		notes = append(notes, fmt.Sprintf("%.3g %% of the connections", toxicity*100))
	}
	what := x.Type
	if len(notes) > 0 {
		what += " (" + strings.Join(notes, ", ") + ")"
	}
	return x.poison(t, s, what+" on", netproxy.Toxic{
		Type: x.Type, Stream: cmp.Or(x.Stream, "downstream"), Toxicity: float32(toxicity), Attributes: attributes,
	})
}

func (x *Toxic) check(report func(path, message string)) {
	x.Spot.check("toxic", report)
	if t := x.Toxicity; t != nil && !(*t >= 0 && *t <= 1) {
		report("toxic.toxicity", fmt.Sprintf("toxicity %v is a share of the connections: from 0 to 1", *t))
	}
	if x.Type == "" {
		return // required: reported already
	}
	attributes := netproxy.AttributesOf(x.Type)
	if attributes == nil {
		report("toxic.type", NoSuch("toxic", x.Type, netproxy.Kinds()))
		return
	}
	fields := attributeFields(attributes)
	whole := true
	for key, value := range x.Attributes {
		field, known := fields[key]
		message := ""
		if !known {
			message = unknownAttribute(x.Type, key, fields)
		} else if !fits(value, field) {
			message = fmt.Sprintf("%s is %s, not %s", key, expected(field), found(value))
		}
		if message != "" {
			report("toxic.attributes."+key, message)
			whole = false
		}
	}
	if !whole {
		return
	}
	made, err := x.Attributes.made(x.Type)
	if err == nil {
		err = netproxy.CheckAttributes(made)
	}
	if err != nil {
		// The message begins with the attribute, if it is about one.
		path, message := "toxic.attributes", strings.ReplaceAll(err.Error(), "\n", "; ")
		if key, _, _ := strings.Cut(message, " "); fields[key] != nil {
			path += "." + key
		}
		report(path, message)
	}
}

// attributeFields returns the types of a toxic's parameters by their names.
func attributeFields(a netproxy.Attributes) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	t := reflect.TypeOf(a).Elem()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
			fields[name] = t.Field(i).Type
		}
	}
	return fields
}

func unknownAttribute(toxic, key string, fields map[string]reflect.Type) string {
	if len(fields) == 0 {
		return fmt.Sprintf("a toxic of type %s has no attributes", toxic)
	}
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return NoSuch("attribute of "+toxic, key, names)
}

// NoSuch says that a name is none of those that there are, and which one may
// have been meant.
func NoSuch(what, name string, names []string) string {
	if len(names) == 0 {
		return fmt.Sprintf("there is no %s named %q: there is none at all", what, name)
	}
	best, distance := "", len(name)/3+2
	for _, n := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), n); d < distance {
			best, distance = n, d
		}
	}
	if best != "" {
		return fmt.Sprintf("there is no %s named %q (did you mean %s?)", what, name, best)
	}
	return fmt.Sprintf("there is no %s named %q (there are: %s)", what, name, strings.Join(names, ", "))
}

func fits(value any, t reflect.Type) bool {
	switch v := value.(type) {
	case int64:
		return t.Kind() == reflect.Int64 || t.Kind() == reflect.Int || t.Kind() == reflect.Float64
	case float64:
		return t.Kind() == reflect.Float64 && !math.IsNaN(v) && !math.IsInf(v, 0)
	case bool:
		return t.Kind() == reflect.Bool
	case string:
		return t.Kind() == reflect.String || t.Kind() == reflect.Slice
	case []any:
		return t.Kind() == reflect.Slice && !slices.ContainsFunc(v, func(item any) bool { _, text := item.(string); return !text })
	}
	return false
}

func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int64, reflect.Int:
		return "a whole number (times are in milliseconds)"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list of words"
	}
	return "a text"
}

func found(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case nil:
		return "nothing"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return fmt.Sprint(value)
}

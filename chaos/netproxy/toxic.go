package netproxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// Direction is one of the two ways through a proxy.
type Direction int

const (
	Upstream   Direction = iota // from the client to the upstream
	Downstream                  // from the upstream to the client
)

// String returns "upstream" or "downstream".
func (d Direction) String() string {
	if d == Upstream {
		return "upstream"
	}
	return "downstream"
}

// Toxic is a fault on a proxy. Its JSON is Toxiproxy's.
type Toxic struct {
	Attributes Attributes `json:"attributes"`
	Name       string     `json:"name"`     // unique on its proxy; "" becomes "<type>_<stream>"
	Type       string     `json:"type"`     // a name of [Kinds]; "" becomes the attributes' own
	Stream     string     `json:"stream"`   // upstream or downstream, in any case; "" becomes downstream
	Toxicity   float32    `json:"toxicity"` // the share of connections that it acts on, 0…1
}

// Attributes are the parameters of a kind of toxic: a pointer to one of the
// structs of this package, such as [Latency] or [HTTPFault].
type Attributes interface {
	// check returns what is wrong with the values.
	check() error
}

// UnmarshalJSON reads a toxic as the API shows it. Its type must be one of
// [Kinds].
func (t *Toxic) UnmarshalJSON(b []byte) error {
	read, err := readToxic(bytes.NewReader(b))
	if err == nil {
		*t = read
	}
	return err
}

// toxic is a toxic on its proxy. It does not change: an update makes another
// one with the same id.
type toxic struct {
	Toxic
	id       uint64
	revision int
	kind     *kind
	act      streamToxic // nil: it does nothing to the bytes
	dir      Direction
	tally    *tally
	seen     *atomic.Int64 // connections that a toxic on accepting has seen
}

// newToxic checks t and fills in what it leaves open.
func newToxic(t Toxic) (*toxic, error) {
	if t.Type == "" {
		t.Type = kindOf(t.Attributes)
	}
	if t.Stream == "" {
		t.Stream = Downstream.String()
	}
	made := &toxic{Toxic: t, seen: new(atomic.Int64)}
	switch strings.ToLower(t.Stream) {
	case "upstream":
		made.dir = Upstream
	case "downstream":
		made.dir = Downstream
	default:
		return nil, errInvalidStream
	}
	if made.Name == "" {
		made.Name = t.Type + "_" + t.Stream
	}
	made.kind = kindNamed(t.Type)
	if made.kind == nil {
		return nil, errInvalidToxicType
	}
	if made.Attributes == nil {
		made.Attributes = made.kind.attributes()
	}
	if kindOf(made.Attributes) != t.Type {
		return nil, badBody(fmt.Errorf("a toxic of type %s has the attributes of another type", t.Type))
	}
	return made, made.ready()
}

// ready checks the values and makes the toxic able to act.
func (t *toxic) ready() error {
	if t.Toxicity < 0 || t.Toxicity > 1 {
		return badBody(fmt.Errorf("toxicity %v: from 0 to 1", t.Toxicity))
	}
	if err := t.Attributes.check(); err != nil {
		return badBody(fmt.Errorf("%s: %w", t.Type, err))
	}
	t.act, _ = t.Attributes.(streamToxic)
	return nil
}

// readToxic reads a toxic from JSON with Toxiproxy's defaults.
func readToxic(r io.Reader) (Toxic, error) {
	var in struct {
		Name       string          `json:"name"`
		Type       string          `json:"type"`
		Stream     string          `json:"stream"`
		Toxicity   float32         `json:"toxicity"`
		Attributes json.RawMessage `json:"attributes"`
	}
	in.Stream, in.Toxicity = Downstream.String(), 1
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return Toxic{}, badBody(err)
	}
	if in.Stream == "" {
		return Toxic{}, errInvalidStream
	}
	t := Toxic{Name: in.Name, Type: in.Type, Stream: in.Stream, Toxicity: in.Toxicity}
	if lower := strings.ToLower(in.Stream); lower != "upstream" && lower != "downstream" {
		return Toxic{}, errInvalidStream
	}
	k := kindNamed(in.Type)
	if k == nil {
		return Toxic{}, errInvalidToxicType
	}
	t.Attributes = k.attributes()
	return t, k.decode(in.Attributes, t.Attributes)
}

// updated returns the toxic with what the JSON names changed.
func (t *toxic) updated(r io.Reader) (Toxic, error) {
	in := struct {
		Attributes json.RawMessage `json:"attributes"`
		Toxicity   float32         `json:"toxicity"`
	}{Toxicity: t.Toxicity}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return Toxic{}, badBody(err)
	}
	changed := t.Toxic
	changed.Toxicity = in.Toxicity
	changed.Attributes = t.kind.attributes()
	now, err := json.Marshal(t.Attributes)
	if err != nil {
		return Toxic{}, err
	}
	if err := json.Unmarshal(now, changed.Attributes); err != nil {
		return Toxic{}, err
	}
	return changed, t.kind.decode(in.Attributes, changed.Attributes)
}

// decode reads attributes. Toxiproxy ignores those that it does not know, and
// so do its kinds here; a misspelt attribute of a kind of our own is an error.
func (k *kind) decode(raw json.RawMessage, into Attributes) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if !k.toxiproxy {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return badBody(err)
	}
	return nil
}

// notNegative checks values that count or last.
func notNegative(name string, v int64) error {
	if v < 0 {
		return fmt.Errorf("%s %d is negative", name, v)
	}
	return nil
}

// share checks a probability.
func share(name string, v float64) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("%s %v: from 0 to 1", name, v)
	}
	return nil
}

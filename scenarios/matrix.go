package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// Matrix makes several variants of a scenario: paths, as of --set, and the
// values that each takes. It is expanded before a scenario is decoded, every
// value of one path with every value of the others; see [LoadAll].
type Matrix map[string][]any

// JSONSchema describes it: what may stand in the lists depends on the path.
func (Matrix) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type:                 "object",
		AdditionalProperties: &jsonschema.Schema{Type: "array", MinItems: new(uint64(1))},
		Examples:             []any{map[string]any{"target.cluster.workers": []int{1, 2, 4}}},
	}
}

// maxVariants bounds what one file makes.
const maxVariants = 64

// variant is one combination of a matrix's values, applied to the tree.
type variant struct {
	name string
	root *node
}

// expandMatrix takes the matrix out of root and returns its variants, in the
// order of the file with the last path changing fastest; root itself, without a
// name, if there is no matrix.
func expandMatrix(root *node, c *collector) []variant {
	variants := []variant{{root: root}}
	matrix := root.get("matrix")
	if matrix == nil {
		return variants
	}
	axes := matrix.value
	at := matrix.at
	root.entries = slices.DeleteFunc(root.entries, func(e entry) bool { return e.key == "matrix" })
	if axes.kind != mapping {
		if !axes.broken {
			c.add(at, "expected a mapping such as {target.cluster.workers: [1, 2, 4]}, found "+describe(axes))
		}
		return variants
	}
	lists := true
	for _, axis := range axes.entries {
		if axis.value.kind != sequence || len(axis.value.items) == 0 {
			c.add(axis.at, fmt.Sprintf("expected the values that %s takes, as a list", shorten(axis.key)))
			lists = false
		}
	}
	if !lists {
		return variants
	}
	for i, axis := range axes.entries {
		if len(variants)*len(axis.value.items) > maxVariants {
			c.add(at, fmt.Sprintf("the matrix makes more than %d variants", maxVariants))
			return variants
		}
		names := valueNames(axes.entries, i)
		var more []variant
		for _, v := range variants {
			for k, value := range axis.value.items {
				changed := variant{name: strings.TrimPrefix(v.name+", "+names[k], ", "), root: v.root.clone()}
				if setPath(changed.root, axis.key, value.clone(), func(int) place { return axis.at }, c) {
					more = append(more, changed)
				}
			}
		}
		if len(more) == 0 {
			return variants // reported
		}
		variants = more
	}
	return variants
}

// valueNames names the values of an axis: "workers=2", "single", or by their
// number where neither tells them apart.
func valueNames(axes []entry, i int) []string {
	key := axes[i].key[strings.LastIndexByte(axes[i].key, '.')+1:]
	for k, other := range axes {
		if k != i && other.key[strings.LastIndexByte(other.key, '.')+1:] == key {
			key = axes[i].key
		}
	}
	key = oneLine(key)
	names := make([]string, len(axes[i].value.items))
	for k, value := range axes[i].value.items {
		switch {
		case value.kind == scalar:
			names[k] = key + "=" + oneLine(shorten(value.text))
		case value.kind == mapping && len(value.entries) == 1:
			names[k] = oneLine(shorten(value.entries[0].key))
		case value.kind == null:
			names[k] = "no " + key
		default:
			names[k] = fmt.Sprintf("%s %d", key, k+1)
		}
	}
	for k, name := range names {
		if n := slices.Index(names, name); n < k || slices.Contains(names[k+1:], name) {
			for j := range names {
				names[j] = fmt.Sprintf("%s %d", key, j+1)
			}
			break
		}
	}
	return names
}

// clone copies n and all beneath it.
func (n *node) clone() *node {
	c := *n
	c.entries, c.items = slices.Clone(n.entries), slices.Clone(n.items)
	for i := range c.entries {
		c.entries[i].value = c.entries[i].value.clone()
	}
	for i := range c.items {
		c.items[i] = c.items[i].clone()
	}
	return &c
}

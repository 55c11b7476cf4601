package scenarios

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

type kind int

const (
	null kind = iota
	scalar
	mapping
	sequence
)

func (k kind) String() string {
	return [...]string{"nothing", "a value", "a mapping", "a list"}[k]
}

// node is a value of a scenario with its position: YAML without anchors,
// aliases, merge keys and styles.
type node struct {
	kind    kind
	text    string // scalar: as written, unquoted
	quoted  bool   // scalar: quoted or a block, so a text for certain
	entries []entry
	items   []*node
	at      place
	broken  bool // a mistake was reported instead of a value
}

// entry is one key of a mapping.
type entry struct {
	key   string
	at    place
	value *node
}

// get returns the entry with the key, or nil.
func (n *node) get(key string) *entry {
	for i := range n.entries {
		if n.entries[i].key == key {
			return &n.entries[i]
		}
	}
	return nil
}

// converter makes nodes of the library's syntax tree.
type converter struct {
	src     *source
	anchors map[string]*node
	nodes   int
	c       *collector
	stopped bool // a bound was passed, and reported
}

func (p *converter) place(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{src: p.src}
	}
	return place{p.src, t.Position.Line, max(1, t.Position.Column)}
}

// giveUp reports a bound that was passed; nothing is reported after it.
func (p *converter) giveUp(at place, message string) *node {
	if !p.stopped {
		p.c.add(at, message)
	}
	p.stopped = true
	return &node{at: at}
}

func (p *converter) convert(n ast.Node, depth int) *node {
	if n == nil {
		return &node{at: place{src: p.src}}
	}
	at := p.place(n.GetToken())
	if p.nodes++; p.nodes > maxNodes {
		return p.giveUp(at, fmt.Sprintf("more than %d values once aliases are expanded", maxNodes))
	}
	if depth > maxDepth {
		return p.giveUp(at, tooDeep)
	}
	if p.stopped {
		return &node{at: at}
	}
	switch n := n.(type) {
	case *ast.NullNode:
		return &node{at: at}
	case *ast.LiteralNode:
		return &node{kind: scalar, text: n.Value.Value, quoted: true, at: at}
	case *ast.StringNode:
		quoted := n.Token.Type == token.DoubleQuoteType || n.Token.Type == token.SingleQuoteType
		return &node{kind: scalar, text: n.Value, quoted: quoted, at: at}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: scalar, text: n.GetToken().Value, at: at}
	case *ast.SequenceNode:
		s := &node{kind: sequence, at: at}
		for _, v := range n.Values {
			s.items = append(s.items, p.convert(v, depth+1))
		}
		return s
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			at = p.place(n.Values[0].Key.GetToken())
		}
		m := &node{kind: mapping, at: at}
		p.entries(m, n.Values, depth)
		return m
	case *ast.MappingValueNode:
		m := &node{kind: mapping, at: p.place(n.Key.GetToken())}
		p.entries(m, []*ast.MappingValueNode{n}, depth)
		return m
	case *ast.AnchorNode:
		v := p.convert(n.Value, depth)
		p.anchors[n.Name.GetToken().Value] = v
		return v
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		v, ok := p.anchors[name]
		if !ok {
			p.c.add(at, fmt.Sprintf("there is no anchor &%s above", name))
			return &node{at: at, broken: true}
		}
		return p.expand(v, at, depth)
	case *ast.TagNode:
		p.c.add(at, fmt.Sprintf("tags such as %s have no meaning here", n.Start.Value))
		return p.convert(n.Value, depth+1)
	}
	p.c.add(at, fmt.Sprintf("a YAML %s has no meaning here", strings.ToLower(n.Type().String())))
	return &node{at: at, broken: true}
}

// expand copies what an alias stands for, so that --set can change one place
// without the other.
func (p *converter) expand(n *node, at place, depth int) *node {
	if p.nodes++; p.nodes > maxNodes {
		return p.giveUp(at, fmt.Sprintf("more than %d values once aliases are expanded", maxNodes))
	}
	if depth > maxDepth {
		return p.giveUp(at, tooDeep)
	}
	if p.stopped {
		return &node{at: at}
	}
	v := *n
	v.entries, v.items = nil, nil
	for _, e := range n.entries {
		v.entries = append(v.entries, entry{e.key, e.at, p.expand(e.value, at, depth+1)})
	}
	for _, i := range n.items {
		v.items = append(v.items, p.expand(i, at, depth+1))
	}
	return &v
}

// entries adds keys to m. Keys merged by << come after m's own, which win.
func (p *converter) entries(m *node, values []*ast.MappingValueNode, depth int) {
	first := map[string]int{}
	var merged []*node
	for _, v := range values {
		key := ast.Node(v.Key)
		if k, ok := key.(*ast.MappingKeyNode); ok {
			key = k.Value
		}
		if _, ok := key.(*ast.MergeKeyNode); ok {
			merged = append(merged, p.convert(v.Value, depth+1))
			continue
		}
		k := p.convert(key, depth+1)
		if k.kind == null && key != nil {
			k.text = key.GetToken().Value
		} else if k.kind != scalar {
			p.c.add(k.at, "a key is a plain word, not "+k.kind.String())
			continue
		}
		if line, twice := first[k.text]; twice {
			p.c.add(k.at, fmt.Sprintf("key %q stands here twice (the first is on line %d)", k.text, line))
			continue
		}
		first[k.text] = k.at.line
		m.entries = append(m.entries, entry{k.text, k.at, p.convert(v.Value, depth+1)})
	}
	for _, from := range merged {
		p.merge(m, from, depth)
	}
}

// merge adds the entries of one mapping, or of each in a list, that m lacks.
func (p *converter) merge(m, from *node, depth int) {
	switch from.kind {
	case mapping:
		for _, e := range from.entries {
			if m.get(e.key) == nil {
				m.entries = append(m.entries, entry{e.key, e.at, p.expand(e.value, from.at, depth+1)})
			}
		}
	case sequence:
		for _, i := range from.items {
			if i.kind == sequence {
				i = &node{at: i.at}
			}
			p.merge(m, i, depth)
		}
	default:
		if !from.broken {
			p.c.add(from.at, "<< merges a mapping or a list of mappings")
		}
	}
}

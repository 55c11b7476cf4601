package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// applySet changes the tree as one --set says: PATH=VALUE, where PATH names keys
// from the top, separated by points, and entries of lists by their name or by
// their number from 0. VALUE is YAML; nothing, or null, removes what is there.
func applySet(root *node, set string, rank int, c *collector) {
	path, text, found := strings.Cut(set, "=")
	src := newSource("--set", set)
	src.rank = rank
	if !found || path == "" {
		c.add(place{src, 1, 1}, "expected PATH=VALUE, such as load.main.closed.concurrency=100")
		return
	}
	value := parseSetValue(src, text, utf8.RuneCountInString(path)+1, c)
	if value == nil {
		return
	}
	setPath(root, path, value, func(column int) place { return place{src, 1, column} }, c)
}

// setPath puts value where path leads; placeOf is where a column of the path
// stands. It tells whether it could, or reports why not.
func setPath(root *node, path string, value *node, placeOf func(column int) place, c *collector) bool {
	at, column := root, 1
	segments := strings.Split(path, ".")
	for i, segment := range segments {
		here := placeOf(column)
		column += utf8.RuneCountInString(segment) + 1
		last := i == len(segments)-1
		var message string
		if last {
			message = at.put(segment, value, here)
		} else {
			at, message = at.enter(segment, here)
		}
		if message != "" {
			c.add(here, message)
			return false
		}
	}
	return true
}

// parseSetValue reads the value of a --set, which starts after offset
// characters of the source.
func parseSetValue(src *source, text string, offset int, c *collector) *node {
	if strings.TrimSpace(text) == "" {
		return &node{at: place{src, 1, offset + 1}}
	}
	own := &collector{}
	value := parseYAML(newSource(src.name, text), []byte(text), own)
	for _, m := range own.list {
		if m.Line <= 1 {
			m.Column += offset
		}
		c.add(place{src, max(1, m.Line), max(1, m.Column)}, m.Message)
	}
	if len(own.list) > 0 || value == nil {
		return nil
	}
	value.shift(src, offset)
	return value
}

// shift moves the positions of n and of all beneath it to src, where the first
// line starts after offset characters.
func (n *node) shift(src *source, offset int) {
	move := func(at *place) {
		at.src = src
		if at.line <= 1 {
			at.column += offset
		}
	}
	move(&n.at)
	for i := range n.entries {
		move(&n.entries[i].at)
		n.entries[i].value.shift(src, offset)
	}
	for _, i := range n.items {
		i.shift(src, offset)
	}
}

// enter returns the value of a key or list entry, a new mapping if there is no
// such key, or what is wrong.
func (n *node) enter(segment string, here place) (*node, string) {
	switch n.kind {
	case mapping:
		e := n.get(segment)
		if e == nil {
			n.entries = append(n.entries, entry{key: segment, at: here, value: &node{kind: mapping, at: here}})
			e = n.get(segment)
		}
		if e.value.kind == null {
			e.value = &node{kind: mapping, at: here}
		}
		return e.value, ""
	case sequence:
		i, message := n.index(segment)
		if message != "" {
			return nil, message
		}
		return n.items[i], ""
	}
	return nil, fmt.Sprintf("there is no %q: what stands here is the value %s", segment, describe(n))
}

// put sets a key or list entry, or removes it if value is null.
func (n *node) put(segment string, value *node, here place) string {
	switch n.kind {
	case mapping:
		n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.key == segment })
		if value.kind != null {
			n.entries = append(n.entries, entry{key: segment, at: here, value: value})
		}
		return ""
	case sequence:
		i, message := n.index(segment)
		if message != "" {
			return message
		}
		if value.kind == null {
			n.items = slices.Delete(n.items, i, i+1)
		} else {
			n.items[i] = value
		}
		return ""
	}
	return fmt.Sprintf("there is no %q: what stands here is the value %s", segment, describe(n))
}

// index finds a list's entry by its name, or by its number from 0.
func (n *node) index(segment string) (int, string) {
	var names []string
	for i, item := range n.items {
		if e := item.get("name"); e != nil {
			if e.value.text == segment {
				return i, ""
			}
			names = append(names, e.value.text)
		}
	}
	if i, err := strconv.Atoi(segment); err == nil && i >= 0 && i < len(n.items) {
		return i, ""
	}
	have := fmt.Sprintf("%d, numbered from 0", len(n.items))
	if len(names) > 0 {
		have = strings.Join(names, ", ")
	}
	return 0, fmt.Sprintf("the list has no entry %q (there are: %s)", segment, have)
}

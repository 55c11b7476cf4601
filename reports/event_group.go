package reports

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// eventGroup is events that differ in the worker or process, or, where processes
// told them of a dependency, in figures and ports.
type eventGroup struct {
	first Event
	n     int

	same    bool          // they differ in the worker or process alone
	parts   []string      // what stands before, between and after the figures
	figures []figureRange // of what was told
}

// figureRange is the smallest and the largest of what stands at one place in the
// texts of a group.
type figureRange struct{ least, most string }

func groupEvents(events []Event) []*eventGroup {
	var groups []*eventGroup
	known := map[string]*eventGroup{}
	for _, e := range events {
		common := e.common()
		parts, found := []string{common}, []string(nil)
		if e.told() {
			parts, found = aroundFigures(common)
		}
		kind := e.Source + ": " + strings.Join(parts, "#")
		g := known[kind]
		if g == nil {
			g = &eventGroup{first: e, same: true, parts: parts}
			for _, f := range found {
				g.figures = append(g.figures, figureRange{f, f})
			}
			groups = append(groups, g)
			known[kind] = g
		}
		g.n++
		g.same = g.same && common == g.first.common()
		for k, f := range found {
			g.figures[k].add(f)
		}
	}
	return groups
}

// told tells whether an event is of a dependency, or was told by a process.
func (e Event) told() bool { return !slices.Contains(ofTarget, e.Source) }

var (
	// figure is a number that stands alone, not one in a name or an address.
	figure = regexp.MustCompile(`(^|[\s(])(\d+(?:,\d{3})*(?:\.\d+)?)($|[\s,;:)%])`)
	// port is that of an address: each connection has another.
	port = regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]+\]|localhost):\d+`)
	// numbered is what tells one worker's event from another's, besides the pid.
	numbered = regexp.MustCompile(`\b(worker|process|instance) #?\d+\b`)
)

// aroundFigures divides a text, without the ports of its addresses, at its
// figures: there is one more part than figures.
func aroundFigures(what string) (parts, found []string) {
	what = port.ReplaceAllString(what, "$1")
	begun := 0
	for from := 0; ; {
		at := figure.FindStringSubmatchIndex(what[from:])
		if at == nil {
			return append(parts, what[begun:]), found
		}
		start, end := from+at[4], from+at[5]
		parts, found = append(parts, what[begun:start]), append(found, what[start:end])
		// What follows a figure may also stand before the next one.
		begun, from = end, end
	}
}

func (r *figureRange) add(text string) {
	value := func(s string) float64 {
		v, _ := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
		return v
	}
	if value(text) < value(r.least) {
		r.least = text
	}
	if value(text) > value(r.most) {
		r.most = text
	}
}

func (r figureRange) String() string {
	if r.least == r.most {
		return r.least
	}
	return r.least + " to " + r.most
}

// common is what happened without saying to which worker or process.
func (e Event) common() string {
	return pids.ReplaceAllString(numbered.ReplaceAllString(e.What, "$1"), "")
}

// what happened: all of it if it happened once, else what all of them say, with
// the range of each figure.
func (g *eventGroup) what() string {
	switch {
	case g.n == 1:
		return clean(g.first.What)
	case g.same:
		return clean(g.first.common())
	}
	var b strings.Builder
	for i, part := range g.parts {
		b.WriteString(part)
		if i < len(g.figures) {
			b.WriteString(g.figures[i].String())
		}
	}
	return clean(b.String())
}

func (g *eventGroup) text() string {
	what := g.what()
	if g.first.told() {
		what = clean(g.first.Source) + ": " + what
	}
	if g.n == 1 {
		return fmt.Sprintf("%s (at %s)", what, at(g.first.AtS))
	}
	return fmt.Sprintf("%d × %s (first at %s)", g.n, what, at(g.first.AtS))
}

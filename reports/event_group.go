package reports

import (
	"fmt"
	"regexp"
	"slices"
)

// eventGroup is events that differ in the worker or process, or, where processes
// told them of a dependency, in any figure.
type eventGroup struct {
	first Event
	kind  string // what they have in common
	n     int
}

func groupEvents(events []Event) []*eventGroup {
	var groups []*eventGroup
	for _, e := range events {
		kind := e.common()
		if e.told() {
			kind = e.Source + ": " + figures.ReplaceAllString(kind, "#")
		}
		i := slices.IndexFunc(groups, func(g *eventGroup) bool { return g.kind == kind })
		if i < 0 {
			groups = append(groups, &eventGroup{first: e, kind: kind})
			i = len(groups) - 1
		}
		groups[i].n++
	}
	return groups
}

// told tells whether an event is of a dependency, or was told by a process.
func (e Event) told() bool { return !slices.Contains(ofTarget, e.Source) }

var (
	figures = regexp.MustCompile(`\d+`)
	// numbered is what tells one worker's event from another's, besides the pid.
	numbered = regexp.MustCompile(`\b(worker|process|instance) #?\d+\b`)
)

// common is what happened without saying to which worker or process.
func (e Event) common() string {
	what := numbered.ReplaceAllString(e.What, "$1")
	if e.told() {
		return what
	}
	return pids.ReplaceAllString(what, "")
}

// what happened: all of it if it happened once.
func (g *eventGroup) what() string {
	if g.n == 1 {
		return clean(g.first.What)
	}
	return clean(g.first.common())
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

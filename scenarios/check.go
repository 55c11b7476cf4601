package scenarios

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/reports"
)

// checker maps paths in a scenario to places in its file.
type checker struct {
	root    *node
	c       *collector
	tainted map[*node]bool
}

// report adds a mistake at a path such as "load.0.closed.concurrency". A path
// that the file does not have is reported at what is nearest around it. Nothing
// is reported where the file itself was wrong: it may only follow from that.
func (k *checker) report(path, message string) {
	if n, _, at := k.find(path); !k.tainted[n] {
		k.c.add(at, message)
	}
}

// reportInside adds a mistake at a character within the text at path.
func (k *checker) reportInside(path string, offset int, message string) {
	n, exact, at := k.find(path)
	if k.tainted[n] {
		return
	}
	if exact {
		at = n.within(offset)
	}
	k.c.add(at, message)
}

// written tells whether the file itself has a path.
func (k *checker) written(path string) bool {
	_, exact, _ := k.find(path)
	return exact
}

// find returns the node at path, or the nearest around it, and its place: that
// of a value, but of the key for what has keys or entries itself.
func (k *checker) find(path string) (n *node, exact bool, at place) {
	n, at = k.root, k.root.at
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	for segment := range strings.SplitSeq(path, ".") {
		switch {
		case segment == "":
			continue
		case n.kind == mapping:
			e := n.get(segment)
			if e == nil {
				return n, false, at
			}
			n, at = e.value, e.at
		case n.kind == sequence:
			i, err := strconv.Atoi(segment)
			if err != nil || i < 0 || i >= len(n.items) {
				return n, false, at
			}
			n, at = n.items[i], n.items[i].at
		default:
			return n, false, at
		}
		if n.kind == scalar {
			at = n.at
		}
	}
	return n, true, at
}

func (k *checker) under(prefix string) func(path, message string) {
	return func(path, message string) {
		k.report(strings.TrimSuffix(prefix+"."+path, "."), withSubject(path, message))
	}
}

// withSubject completes a message that begins with its verb, "must be positive",
// by the key that it is about.
func withSubject(path, message string) string {
	verb, _, _ := strings.Cut(message, " ")
	switch verb {
	case "has", "must", "needs", "goes", "is", "means":
	default:
		return message
	}
	key := path[strings.LastIndexByte(path, '.')+1:]
	if key == "" {
		key = "this entry"
	}
	return key + " " + message
}

// check reports everything that is wrong with s beyond its form.
func (s *Scenario) check(k *checker) {
	if s.Name != "" {
		checkName(k, "name", s.Name)
	}
	s.checkTarget(k)
	s.parts(func(path string, p part) {
		report := k.under(path)
		p.Check(func(inner, message string) {
			if path == "probe" && inner == "path" && !k.written("probe.path") {
				return // it is the first request's, where the same was reported
			}
			report(inner, message)
		})
	})
	s.checkReady(k)
	s.checkTimeouts(k)
	s.checkNames(k)
	s.checkDependencies(k)
	if len(s.Load) == 0 && k.root.get("load") != nil {
		k.report("load", "load is empty: it needs at least one stream")
	}
	for i := range s.Chaos {
		path := fmt.Sprintf("chaos.%d", i)
		s.checkVictims(k, path, &s.Chaos[i])
		s.checkPlace(k, path, &s.Chaos[i])
		s.checkEnd(k, path, &s.Chaos[i])
	}
	for i, o := range s.AbortIf {
		s.checkObjective(k, fmt.Sprintf("abort_if.%d", i), o)
	}
	for i, o := range s.SLO {
		s.checkObjective(k, fmt.Sprintf("slo.%d", i), o)
	}
	s.checkBudget(k)
	s.checkRates(k)
	s.checkTemplates(k)
}

func (s *Scenario) checkTarget(k *checker) {
	target := k.root.get("target")
	if target == nil || target.value.kind != mapping {
		if target != nil && target.value.kind == null {
			k.report("target", "target is empty: "+targetKinds)
		}
		return
	}
	var kinds []entry
	for _, e := range target.value.entries {
		switch e.key {
		case "cluster", "single", "command", "url":
			kinds = append(kinds, e)
		}
	}
	switch {
	case len(kinds) == 0:
		k.report("target", "target has no kind: "+targetKinds)
	case len(kinds) == 1 && kinds[0].key == "url" && s.Target.URL == "":
		k.report("target.url", "url is empty")
	}
	for i, e := range kinds {
		if len(kinds) > 1 {
			other := kinds[(i+1)%len(kinds)]
			k.c.add(e.at, fmt.Sprintf("a target is of one kind: %s stands here, and %s at %d:%d", e.key, other.key, other.at.line, other.at.column))
		}
	}
}

const targetKinds = "it is one of cluster, single, command and url"

func (s *Scenario) checkReady(k *checker) {
	if !strings.HasPrefix(s.Ready.Path, "/") && k.written("ready.path") {
		k.report("ready.path", fmt.Sprintf("a path begins with /, %q does not", shorten(s.Ready.Path)))
	}
	if s.Ready.Timeout <= 0 {
		k.report("ready.timeout", "timeout must be longer than 0s")
	}
	if len(s.Ready.Status) == 0 {
		k.report("ready.status", "status is empty: no answer would do")
	}
}

// checkTimeouts looks at times that would be their defaults were they left out,
// and that make no sense if they are written as zero.
func (s *Scenario) checkTimeouts(k *checker) {
	for i := range s.Load {
		if s.Load[i].Timeout == 0 {
			k.report(fmt.Sprintf("load.%d.timeout", i), "timeout must be longer than 0s")
		}
	}
	if s.Probe.Every == 0 {
		k.report("probe.every", "every must be at least 1ms")
	}
	if s.Probe.Timeout == 0 {
		k.report("probe.timeout", "timeout must be longer than 0s")
	}
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func checkName(k *checker, path, name string) bool {
	if nameForm.MatchString(name) {
		return true
	}
	k.report(path, fmt.Sprintf("%q is not a name: letters a-z, digits and - after a letter", shorten(name)))
	return false
}

// checkNames looks at the names of streams and faults, which share one space
// because objectives refer to both.
func (s *Scenario) checkNames(k *checker) {
	first := map[string]place{}
	check := func(path, name string) {
		_, exact, at := k.find(path)
		if !exact || !checkName(k, path, name) {
			return
		}
		if other, twice := first[name]; twice {
			k.report(path, fmt.Sprintf("the name %q is taken by line %d; streams and faults share their names", name, other.line))
			return
		}
		first[name] = at
	}
	for i := range s.Load {
		check(fmt.Sprintf("load.%d.name", i), s.Load[i].Name)
	}
	for i := range s.Chaos {
		check(fmt.Sprintf("chaos.%d.name", i), s.Chaos[i].Name)
	}
}

func (s *Scenario) checkBudget(k *checker) {
	if s.Budget == nil {
		return
	}
	if o := s.Budget.Objective; o <= 0 || o >= 1 {
		k.report("budget.objective", fmt.Sprintf("an objective of %v leaves no budget to spend: it lies between 0%% and 100%%", o))
	}
	if s.Budget.Window <= 0 {
		k.report("budget.window", "window must be longer than 0s")
	}
}

// checkRates looks at how often faults are expected, by their names.
func (s *Scenario) checkRates(k *checker) {
	var names []string
	for i := range s.Chaos {
		names = append(names, s.Chaos[i].Name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Rates)) {
		path := "rates." + name
		if !slices.Contains(names, name) {
			there := "the scenario has no faults"
			if len(names) > 0 {
				there = "there are: " + strings.Join(names, ", ")
			}
			k.report(path, fmt.Sprintf("there is no fault named %q (%s)", shorten(name), there))
		} else if err := reports.CheckRate(float64(s.Rates[name])); err != nil {
			k.report(path, err.Error())
		}
	}
	if len(s.Rates) > 0 && s.Probe.Off {
		k.report("rates", "a projection rests on the prober, which is off")
	}
}

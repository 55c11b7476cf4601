package scenarios

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hachaos/hachaos/chaos"
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
	s.parts(func(path string, p part) { p.Check(k.under(path)) })
	s.checkReady(k)
	s.checkTimeouts(k)
	s.checkNames(k)
	if len(s.Load) == 0 && k.root.get("load") != nil {
		k.report("load", "load is empty: it needs at least one stream")
	}
	for i := range s.Chaos {
		path := fmt.Sprintf("chaos.%d", i)
		s.checkVictims(k, path, &s.Chaos[i])
		s.checkEnd(k, path, &s.Chaos[i])
	}
	for i, o := range s.AbortIf {
		s.checkObjective(k, fmt.Sprintf("abort_if.%d", i), o)
	}
	for i, o := range s.SLO {
		s.checkObjective(k, fmt.Sprintf("slo.%d", i), o)
	}
	s.checkBudget(k)
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
	if !strings.HasPrefix(s.Ready.Path, "/") {
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

// checkVictims compares a fault with what the target has to offer.
func (s *Scenario) checkVictims(k *checker, path string, f *chaos.Fault) {
	kind, selector := victims(f)
	if kind == "" {
		return
	}
	path += "." + kind
	t := s.Target
	switch target := t.Kind(); {
	case target == "url" && t.URL == "": // no target: reported already
	case target == "url":
		k.report(path, kind+" does not work on a url target: hachaos has no processes of it (use exec, or another kind of target)")
	case kind == "exit" && target == "command":
		k.report(path, "exit is the reference application's own crash: a command knows nothing of it (use kill)")
	case kind == "reload" && target == "single":
		k.report(path, "a single process cannot be reloaded (use a cluster)")
	case kind == "reload" && target == "command" && t.Command.Reload == nil:
		k.report(path, "hachaos does not know how this command reloads (set target.command.reload)")
	case selector == nil || selector.Workers.All:
	case target == "single" && selector.Workers.N > 1:
		k.report(path+".workers", "a single process is the only worker there is")
	case target == "cluster" && t.Cluster.Workers > 0 && selector.Workers.N > int(t.Cluster.Workers):
		k.report(path+".workers", fmt.Sprintf("the cluster has %d workers, not %d", t.Cluster.Workers, selector.Workers.N))
	}
}

// victims returns the kind of a fault that strikes the target's processes, and
// its selector if it has one; "" for other faults.
func victims(f *chaos.Fault) (string, *chaos.Selector) {
	switch {
	case f.Kill != nil:
		return "kill", &f.Kill.Selector
	case f.Pause != nil:
		return "pause", &f.Pause.Selector
	case f.Exit != nil:
		return "exit", &f.Exit.Selector
	case f.Reload != nil:
		return "reload", nil
	}
	return "", nil
}

// checkEnd compares a fault's times with the end of the load, where that is
// known.
func (s *Scenario) checkEnd(k *checker, path string, f *chaos.Fault) {
	end, known := s.Duration()
	if load := k.root.get("load"); !known || load == nil || k.taintedBelow(load.value) {
		return
	}
	at, every := f.At.Std(), f.Every.Std()
	switch {
	case at >= end:
		k.report(path+".at", fmt.Sprintf("the fault strikes at %v, when the load has ended at %v", at, end))
	case at+f.Jitter.Std() >= end:
		k.report(path+".jitter", fmt.Sprintf("with a jitter of %v the fault may strike when the load has ended at %v", f.Jitter, end))
	case every == 0:
	case at+every >= end:
		k.report(path+".every", fmt.Sprintf("every %v leaves no room for a repetition: the load ends at %v", every, end))
	case f.Count > 1 && time.Duration(f.Count-1) > (end-1-at-f.Jitter.Std())/every:
		k.report(path+".count", fmt.Sprintf("repetition %d would come after the load's end at %v", f.Count, end))
	case f.Until.Std() > end:
		k.report(path+".until", fmt.Sprintf("until %v is after the load's end at %v", f.Until, end))
	}
}

func (k *checker) taintedBelow(n *node) bool {
	if k.tainted[n] {
		return true
	}
	for _, e := range n.entries {
		if k.taintedBelow(e.value) {
			return true
		}
	}
	for _, i := range n.items {
		if k.taintedBelow(i) {
			return true
		}
	}
	return false
}

// checkObjective looks up an objective's scope. Its form is right: it was
// parsed.
func (s *Scenario) checkObjective(k *checker, path string, o reports.Objective) {
	if o.Metric == "" {
		return // could not be parsed: reported already
	}
	scope := reports.ScopeRun
	var names []string
	for i := range s.Load {
		names = append(names, s.Load[i].Name)
		if s.Load[i].Name == o.Scope {
			scope = reports.ScopeStream
		}
	}
	for i := range s.Chaos {
		names = append(names, s.Chaos[i].Name)
		if s.Chaos[i].Name == o.Scope {
			scope = reports.ScopeFault
		}
	}
	if o.Scope != "" && scope == reports.ScopeRun {
		k.reportInside(path, 0, fmt.Sprintf("there is no stream or fault named %q (there are: %s)", o.Scope, strings.Join(names, ", ")))
		return
	}
	var wrong *reports.ObjectiveError
	if err := o.Check(scope); errors.As(err, &wrong) {
		k.reportInside(path, wrong.Column-1, wrong.Message)
	} else if err != nil {
		k.report(path, err.Error())
	} else if s.Probe.Off && needsProber(o.Metric) {
		k.report(path, o.Metric+" is measured by the prober, which is off")
	}
}

func needsProber(metric string) bool {
	switch metric {
	case "uptime", "downtime", "longest_outage", "longest_stall", "mttr", "outages", "recovery":
		return true
	}
	return false
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

// anyPort stands in for the port that only a run knows.
const anyPort = 1

// checkTemplates expands every template, and looks at the URLs that come of it.
func (s *Scenario) checkTemplates(k *checker) {
	values := Values{Port: anyPort, Env: s.env}
	if s.Target.Kind() == "url" {
		values.Port = 0
	}
	s.templates(func(path, text string) string {
		value, err := Expand(text, values)
		var wrong *TemplateError
		switch {
		case errors.As(err, &wrong):
			k.reportInside(path, wrong.Offset, wrong.Message)
		case strings.Contains(path, ".headers.") && value != text && strings.ContainsAny(value, "\r\n\x00"):
			k.report(path, "a variable's value breaks the line that a header field is")
		case path == "target.url", path == "target.command.url":
			if message := s.checkURL(value); message != "" && value != "" {
				k.report(path, message)
			}
		}
		return text
	})
	s.collectSecrets(anyPort)
}

// checkURL returns what is wrong with a target's URL, or "". It never repeats
// the URL, which may carry secrets.
func (s *Scenario) checkURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "not a URL (such as http://127.0.0.1:8080/)"
	case u.Scheme != "http" && u.Scheme != "https":
		return "a target's URL begins with http:// or https://"
	case u.Hostname() == "":
		return "the URL has no host (such as http://127.0.0.1:8080/)"
	case u.Port() != "" && !isPort(u.Port()):
		return "the URL's port is not a number from 1 to 65535"
	case !isLoopback(u.Hostname()) && !s.AllowRemote:
		return "the host is not loopback: load and faults are for your own services (set allow_remote: true, or use --allow-remote)"
	}
	return ""
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isLoopback goes by the name alone: localhost, 127.0.0.0/8 and ::1. No name is
// resolved, so what it resolves to later cannot differ.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

package scenarios

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
)

// checkVictims compares a fault with what the target has to offer.
func (s *Scenario) checkVictims(k *checker, path string, f *chaos.Fault) {
	kind, selector := victims(f)
	if kind == "" || selector != nil && selector.Dependency != "" {
		return // checkPlace looks at those of dependencies
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
	case selector == nil || selector.Workers.All || selector.Match != "": // which chooses among all processes
	case target == "single" && selector.Workers.N > 1:
		k.report(path+".workers", "a single process is the only worker there is")
	case target == "cluster" && t.Cluster.Workers > 0 && selector.Workers.N > int(t.Cluster.Workers):
		k.report(path+".workers", fmt.Sprintf("the cluster has %s, not %d", units.CountOf(int64(t.Cluster.Workers), "worker"), selector.Workers.N))
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
	} else if slot, ok := reports.ShareSlot(o.Metric); ok {
		s.checkShare(k, path, o.Metric, slot)
	} else if o.Metric == "restarts" {
		s.checkRestarts(k, path)
	}
}

// checkShare looks for the worker whose share of the answers an objective is on.
func (s *Scenario) checkShare(k *checker, path, metric string, slot int) {
	c := s.Target.Cluster
	switch {
	case strings.HasPrefix(path, "abort_if"):
		k.report(path, metric+" is known only when the run is over (use it in slo)")
	case c == nil || len(c.Exec) > 0:
		k.report(path, metric+" needs the reference application in a cluster, whose answers say which worker gave them")
	case slot > c.Workers.Number():
		k.report(path, fmt.Sprintf("there is no worker %d (they are 1 to %d)", slot, c.Workers.Number()))
	}
}

// checkRestarts looks for workers that hachaos itself restarts.
func (s *Scenario) checkRestarts(k *checker, path string) {
	switch {
	case strings.HasPrefix(path, "abort_if"):
		k.report(path, "restarts is known only when the run is over (use it in slo)")
	case s.Target.Cluster == nil && s.Target.Single == nil:
		k.report(path, "restarts needs a cluster or a single process, which hachaos starts again itself")
	}
}

func needsProber(metric string) bool {
	switch metric {
	case "uptime", "downtime", "longest_outage", "longest_stall", "mttr", "outages", "recovery":
		return true
	}
	return false
}

package chaos

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

// SetDefaults fills in what the fault leaves open: one random worker, SIGKILL,
// exit code 1. Count stays 0: how many repetitions fit depends on the load.
func (f *Fault) SetDefaults() {
	if f.Kill != nil {
		f.Kill.setDefaults()
		if f.Kill.Signal == "" {
			f.Kill.Signal = "SIGKILL"
		}
	}
	if f.Pause != nil {
		f.Pause.setDefaults()
	}
	if f.Stop != nil {
		f.Stop.setDefaults()
	}
	if f.Latency != nil && f.Latency.Direction == "" {
		f.Latency.Direction = "downstream"
	}
	if f.Toxic != nil {
		if f.Toxic.Stream == "" {
			f.Toxic.Stream = "downstream"
		}
		if f.Toxic.Toxicity == nil {
			one := 1.0
			f.Toxic.Toxicity = &one
		}
	}
	if f.Exit != nil {
		f.Exit.setDefaults()
		if f.Exit.Code == nil {
			one := 1
			f.Exit.Code = &one
		}
	}
}

func (s *Selector) setDefaults() {
	switch {
	case s.Dependency != "" && s.Process == "":
		s.Process = "main"
	case s.Dependency == "" && s.Process != "":
		return
	}
	if s.Workers == (Count{}) {
		s.Workers = Count{N: 1}
	}
	if s.Pick == "" {
		s.Pick = "random"
	}
}

// Check reports what is wrong with the fault in itself; path is that of a key
// in it, such as "kill.signal". What depends on the target or on the load is
// not looked at.
func (f *Fault) Check(report func(path, message string)) {
	kinds := f.Kinds()
	switch len(kinds) {
	case 0:
		report("", "a fault needs a kind: one of "+strings.Join(KindNames(), ", "))
		return
	case 1:
	default:
		report(kinds[1], fmt.Sprintf("a fault has one kind, this one has %d: %s", len(kinds), strings.Join(kinds, " and ")))
		return
	}
	switch {
	case f.Kill != nil:
		f.Kill.check("kill", report)
		checkKillSignal(f.Kill.Signal, report)
	case f.Pause != nil:
		f.Pause.check("pause", report)
	case f.Exit != nil:
		f.Exit.check("exit", report)
		if f.Exit.Process != "" && f.Exit.Dependency == "" {
			report("exit.process", "the master does not end itself: use kill for it")
		}
	case f.Exec != nil:
		f.Exec.check(report)
	case f.Cut != nil:
		f.Cut.check("cut", report)
	case f.Latency != nil:
		f.Latency.check(report)
	case f.Toxic != nil:
		f.Toxic.check(report)
	case f.Stop != nil:
		f.Stop.check("stop", report)
		if f.Stop.Dependency == "" {
			report("stop", "stop is for a dependency's servers (dependency: NAME): a target starts its processes itself (use kill)")
		}
	}
	f.checkLasting(kinds[0], report)
	f.checkTimes(report)
}

func (s *Selector) check(kind string, report func(path, message string)) {
	if s.Dependency != "" {
		checkRole(kind, s.Process, report)
		if s.Match != "" {
			report(kind+".match", "match is for processes of the target: a dependency's are chosen by process")
		}
	} else if s.Process != "" {
		if s.Process != "main" {
			report(kind+".process", fmt.Sprintf("%q is not a process that can be named (only main; a dependency's servers have roles)", s.Process))
		}
		for _, k := range []struct {
			key   string
			given bool
		}{{"workers", s.Workers != Count{}}, {"pick", s.Pick != ""}, {"match", s.Match != ""}} {
			if k.given {
				report(kind+"."+k.key, "process: main is one process: "+k.key+" does not go with it")
			}
		}
		return
	}
	switch s.Pick {
	case "random", "oldest", "newest":
	default:
		report(kind+".pick", fmt.Sprintf("%q is not one of random, oldest and newest", s.Pick))
	}
	if _, err := regexp.Compile(s.Match); err != nil {
		report(kind+".match", fmt.Sprintf("not a regular expression: %v", err))
	}
}

func checkKillSignal(name string, report func(path, message string)) {
	if _, err := proc.ParseSignal(name); err != nil {
		report("kill.signal", err.Error())
		return
	}
	switch strings.TrimPrefix(strings.ToUpper(name), "SIG") {
	case "STOP", "TSTP", "TTIN", "TTOU", "CONT":
		report("kill.signal", name+" ends no process: use pause, which thaws what it froze")
	}
}

func (e *Exec) check(report func(path, message string)) {
	if len(e.Run) == 0 || e.Run[0] == "" {
		report("exec.run", "run is empty: it needs a program")
	}
	if e.Revert != nil && (len(e.Revert) == 0 || e.Revert[0] == "") {
		report("exec.revert", "revert is empty: it needs a program, or is left out")
	}
}

// checkLasting compares For with whether the fault can last at all.
func (f *Fault) checkLasting(kind string, report func(path, message string)) {
	switch {
	case f.Pause != nil:
		if f.For <= 0 {
			report("for", "pause needs for: how long the processes stay frozen")
		}
	case f.Exec != nil:
		if f.For != 0 && len(f.Exec.Revert) == 0 {
			report("for", "exec with for needs a revert to run at its end")
		}
	case f.Kill != nil && f.Kill.Dependency != "":
	case f.lasts():
		if f.For == 0 && f.Every != 0 {
			report("every", "every needs for: without it "+kind+" lasts to the end of the load")
		}
	case f.For != 0:
		report("for", "for is for faults that last: "+kind+" happens at once")
	}
}

// lasts tells whether a fault is in force until it is reverted, at the latest
// when the load is over.
func (f *Fault) lasts() bool {
	return f.Cut != nil || f.Latency != nil || f.Toxic != nil || f.Stop != nil || f.Lag != nil || f.Fill != nil
}

func (f *Fault) checkTimes(report func(path, message string)) {
	for _, t := range []struct {
		path  string
		value units.Duration
	}{{"at", f.At}, {"every", f.Every}, {"until", f.Until}, {"for", f.For}, {"jitter", f.Jitter}} {
		if t.value < 0 {
			report(t.path, t.path+" is negative")
			return
		}
	}
	if f.Count < 0 {
		report("count", "count is negative")
	}
	if f.Every == 0 {
		if f.Count > 1 {
			report("count", fmt.Sprintf("count: %d needs every: the interval of repetitions", f.Count))
		}
		if f.Until != 0 {
			report("until", "until bounds repetitions: it needs every")
		}
		return
	}
	if f.Every.Std() < time.Millisecond {
		report("every", "every is shorter than 1ms")
	}
	if f.Until != 0 && f.Until < f.At {
		report("until", fmt.Sprintf("until %v lies before at %v: the fault would never strike", f.Until, f.At))
	}
	switch {
	case f.For == 0:
	case f.Every <= f.For:
		report("every", fmt.Sprintf("every %v leaves no room: each repetition lasts %v", f.Every, f.For))
	case f.Jitter < f.Every && f.Every-f.For <= f.Jitter:
		report("jitter", fmt.Sprintf("jitter %v leaves no room: a repetition that late lasts %v, until the next may begin, every %v", f.Jitter, f.For, f.Every))
	}
	if f.Jitter >= f.Every {
		report("jitter", fmt.Sprintf("jitter %v is not shorter than every %v: repetitions would overtake each other", f.Jitter, f.Every))
	}
}

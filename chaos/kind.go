package chaos

import (
	"context"
	"errors"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// injector is one kind of fault. Aim chooses what will be hit and says how it is
// undone, and touches nothing yet.
type injector interface {
	aim(ctx context.Context, t Target, s Shot) (*injection, error)
}

// injection is a fault that is aimed and not yet injected.
type injection struct {
	victims []Victim
	detail  string
	revert  *Revert // nil: there is nothing to undo
	inject  func(context.Context) error
	// undo, unless nil, undoes it instead of playing revert, which then only says
	// what another process has to do: nothing, if all that the fault touched ends
	// with the run.
	undo func(context.Context) error
	// ended, unless nil, tells whether all processes that it struck have ended.
	ended func() bool
	// struck, if inject sets it, is when the fault can have begun to act at the
	// earliest: later than the call of inject, which has to find its victims.
	struck clock.Time
}

// putBack undoes the injection; j is for what it runs.
func (in *injection) putBack(ctx context.Context, j Journal) error {
	if in.undo != nil {
		return in.undo(ctx)
	}
	return in.revert.Play(ctx, j)
}

// into injects the fault. If it was cut short because it did not end by itself,
// the error says so.
// It acts since a moment between struck and done.
func (in *injection) into(ctx context.Context) (struck, done clock.Time, err error) {
	in.struck = clock.Now()
	err = in.inject(ctx)
	done = clock.Now()
	if err != nil && errors.Is(context.Cause(ctx), errUnfinished) {
		err = errUnfinished
	}
	return in.struck, done, err
}

// kinds is the table of faults: its name in scenarios and reports, and its
// injector, which is nil unless the fault is of that kind.
var kinds = []struct {
	name string
	of   func(*Fault) injector
}{
	{"kill", func(f *Fault) injector { return orNil(f.Kill) }},
	{"pause", func(f *Fault) injector { return orNil(f.Pause) }},
	{"exit", func(f *Fault) injector { return orNil(f.Exit) }},
	{"reload", func(f *Fault) injector { return orNil(f.Reload) }},
	{"exec", func(f *Fault) injector { return orNil(f.Exec) }},
	{"cut", func(f *Fault) injector { return orNil(f.Cut) }},
	{"latency", func(f *Fault) injector { return orNil(f.Latency) }},
	{"toxic", func(f *Fault) injector { return orNil(f.Toxic) }},
	{"stop", func(f *Fault) injector { return orNil(f.Stop) }},
	{"promote", func(f *Fault) injector { return orNil(f.Promote) }},
	{"lag", func(f *Fault) injector { return orNil(f.Lag) }},
	{"fill", func(f *Fault) injector { return orNil(f.Fill) }},
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil[T any, P interface {
	*T
	injector
}](p P) injector {
	if p == nil {
		return nil
	}
	return p
}

// Kinds returns the kinds that are set in f, in the order of the table: exactly
// one in a valid fault.
func (f *Fault) Kinds() []string {
	var set []string
	for _, k := range kinds {
		if k.of(f) != nil {
			set = append(set, k.name)
		}
	}
	return set
}

// KindNames lists the kinds of faults.
func KindNames() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// Kind returns the fault's kind, such as "kill" or "cut"; "" if it has none.
func (f *Fault) Kind() string {
	if set := f.Kinds(); len(set) > 0 {
		return set[0]
	}
	return ""
}

func (f *Fault) injector() injector {
	for _, k := range kinds {
		if in := k.of(f); in != nil {
			return in
		}
	}
	return nil
}

// errSkipped marks an injection whose victim an earlier fault has ended.
var errSkipped = errors.New("skipped")

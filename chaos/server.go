package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Stop ends servers of a dependency as an operator does, and starts them again
// when it is reverted.
type Stop struct {
	Selector `yaml:",inline"`
}

// Promote makes a replica of a dependency its primary.
type Promote struct {
	Dependency string `yaml:"dependency" json:"dependency" jsonschema:"description=Which dependency"`
}

// Lag holds the replicas of a dependency back until it is reverted: they answer
// from what they had.
type Lag struct {
	Dependency string `yaml:"dependency" json:"dependency" jsonschema:"description=Which dependency"`
}

// Fill uses a dependency up until it is reverted: all connections of a PostgreSQL
// are taken, a Redis is at its memory limit.
type Fill struct {
	Dependency string `yaml:"dependency" json:"dependency" jsonschema:"description=Which dependency"`
}

// Dependency names the dependency that f strikes, or the connections to which; ""
// if it strikes the target.
func (f *Fault) Dependency() string {
	switch {
	case f.Cut != nil:
		return f.Cut.Dependency
	case f.Latency != nil:
		return f.Latency.Dependency
	case f.Toxic != nil:
		return f.Toxic.Dependency
	case f.Promote != nil:
		return f.Promote.Dependency
	case f.Lag != nil:
		return f.Lag.Dependency
	case f.Fill != nil:
		return f.Fill.Dependency
	}
	if s := f.selector(); s != nil {
		return s.Dependency
	}
	return ""
}

// Where names what f strikes if that is not the target's own processes: "cache",
// "db (primary)", "the front"; else "".
func (f *Fault) Where() string {
	switch {
	case f.Cut != nil:
		return f.Cut.String()
	case f.Latency != nil:
		return f.Latency.String()
	case f.Toxic != nil:
		return f.Toxic.String()
	}
	spot := Spot{Dependency: f.Dependency()}
	if s := f.selector(); s != nil && s.Dependency != "" && s.Process != "main" {
		spot.Process = s.Process
	}
	return spot.String()
}

// endsWithRun is the revert of what is done to a dependency's servers: they are
// processes of the run and end with it, so whoever takes over has nothing to undo.
func endsWithRun() *Revert { return &Revert{} }

func (t Target) dependency(name string) (Dependency, error) {
	d := t.Dependencies[name]
	if d == nil {
		return nil, fmt.Errorf("the run has no dependency %s", name)
	}
	return d, nil
}

func (p *Stop) aim(_ context.Context, t Target, s Shot) (*injection, error) {
	d, err := t.dependency(p.Dependency)
	if err != nil {
		return nil, err
	}
	marks, err := p.choose(t, s)
	if err != nil {
		return nil, err
	}
	return &injection{
		victims: victims(marks),
		detail:  describe("stop", marks),
		revert:  endsWithRun(),
		inject: func(ctx context.Context) error {
			for _, m := range marks {
				if err := d.Stop(ctx, m.server); err != nil {
					return err
				}
			}
			return nil
		},
		undo: startAgain(d, marks),
	}, nil
}

// startAgain starts servers that were stopped or killed.
func startAgain(d Dependency, marks []mark) func(context.Context) error {
	return func(ctx context.Context) error {
		var errs []error
		for _, m := range marks {
			errs = append(errs, d.Start(ctx, m.server))
		}
		return errors.Join(errs...)
	}
}

func (p *Promote) aim(_ context.Context, t Target, _ Shot) (*injection, error) {
	d, err := t.dependency(p.Dependency)
	if err != nil {
		return nil, err
	}
	return &injection{detail: "promote a replica of " + p.Dependency, inject: d.Promote}, nil
}

func (l *Lag) aim(_ context.Context, t Target, _ Shot) (*injection, error) {
	d, err := t.dependency(l.Dependency)
	if err != nil {
		return nil, err
	}
	return undone("hold the replicas of "+l.Dependency+" back", d.Lag), nil
}

func (f *Fill) aim(_ context.Context, t Target, _ Shot) (*injection, error) {
	d, err := t.dependency(f.Dependency)
	if err != nil {
		return nil, err
	}
	return undone("fill "+f.Dependency, d.Fill), nil
}

// undone is an injection that says itself how it is undone.
func undone(detail string, inject func(context.Context) (func(context.Context) error, error)) *injection {
	in := &injection{detail: detail, revert: endsWithRun()}
	undo := func(context.Context) error { return nil }
	in.inject = func(ctx context.Context) error {
		how, err := inject(ctx)
		if err == nil {
			undo = how
		}
		return err
	}
	in.undo = func(ctx context.Context) error { return undo(ctx) }
	return in
}

// chooseServers finds the servers of a dependency that a selector means.
func (sel Selector) chooseServers(t Target, s Shot) ([]mark, error) {
	d, err := t.dependency(sel.Dependency)
	if err != nil {
		return nil, err
	}
	servers, err := d.Servers(cmp.Or(sel.Process, "main"))
	if err != nil {
		return nil, err
	}
	marks := make([]mark, len(servers))
	for i, v := range servers {
		marks[i] = mark{slot: i + 1, id: v.ID, all: v.All, server: v.Name, name: fmt.Sprintf("%s %s, %s", sel.Dependency, v.Name, v.Role)}
	}
	want := max(sel.Workers.N, 1)
	switch {
	case sel.Workers.All:
		want = len(marks)
	case want > len(marks):
		return nil, fmt.Errorf("dependency %s has %d living servers of role %s, not %d", sel.Dependency, len(marks), cmp.Or(sel.Process, "main"), want)
	}
	chosen := sel.pick(marks, s, len(marks), want)
	for i := range chosen {
		chosen[i].slot = 0 // they are no workers
	}
	slices.SortFunc(chosen, func(a, b mark) int { return cmp.Compare(a.server, b.server) })
	return chosen, nil
}

var roles = []string{"main", "primary", "replica", "sentinel"}

func checkRole(kind, role string, report func(path, message string)) {
	if role != "" && !slices.Contains(roles, role) {
		report(kind+".process", fmt.Sprintf("%q is not one of main, primary, replica and sentinel", role))
	}
}

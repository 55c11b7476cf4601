package scenarios

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/note"
)

// happening is what happened to a dependency, or what a process of the target
// told.
type happening struct {
	at   clock.Time
	told bool // by a process, not by a backend
	note.Event
}

// whatStarts names what a run starts, for who waits for it.
func (s *Scenario) whatStarts() string {
	switch len(s.Dependencies) {
	case 0:
		return "the target"
	case 1:
		return "a dependency and the target"
	}
	return fmt.Sprintf("%d dependencies and the target", len(s.Dependencies))
}

// startAround starts what stands around the target: the chaos proxies if there
// is something to put them before, then the dependencies behind them.
func (r *run) startAround(ctx context.Context, end context.CancelCauseFunc) error {
	var err error
	if r.events, err = note.Listen(filepath.Join(r.sockets, "events"), r.hear); err != nil {
		return err
	}
	if !r.scenario.Front && len(r.scenario.Dependencies) == 0 {
		return nil
	}
	if err := r.startNetwork(ctx); err != nil {
		return err
	}
	r.unwatch = r.network.onEnd(func(err error) { end(err) })
	return r.startDependencies(ctx)
}

// stopAround ends what startAround started, dependencies first.
func (r *run) stopAround() {
	r.countPassed()
	r.stopDependencies()
	if r.network != nil {
		if r.unwatch != nil {
			r.unwatch()
		}
		r.network.stop()
	}
	if r.events != nil {
		r.events.Close()
	}
}

// startDependencies starts all of them at once, and returns when all take
// connections.
func (r *run) startDependencies(ctx context.Context) error {
	configs, err := r.scenario.expandDependencies()
	if err != nil {
		return err
	}
	for _, name := range r.scenario.dependencyNames() {
		r.dependencies = append(r.dependencies, backend.New(name, configs[name], backend.Options{
			Self: r.player.Self, Env: r.env(), Folder: r.folder, Proxies: r.network,
			OnStart: r.noteProcess, Observe: r.observeDependency,
		}))
	}
	errs := make([]error, len(r.dependencies))
	var wg sync.WaitGroup
	for i, b := range r.dependencies {
		wg.Go(func() { errs[i] = b.Start(ctx) })
	}
	wg.Wait()
	var all error
	for _, err := range errs {
		all = joined(all, err)
	}
	return all
}

func (r *run) stopDependencies() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, b := range r.dependencies {
		wg.Go(func() {
			if err := b.Stop(ctx); err != nil {
				r.warn(err.Error())
			}
		})
	}
	wg.Wait()
}

// observeDependency is told of each change of a dependency.
func (r *run) observeDependency(c backend.Change) {
	r.happens(happening{c.At, false, note.Event{Source: c.Dependency, What: c.What}})
}

// hear is told of what a process of the target tells.
func (r *run) hear(at clock.Time, e note.Event) { r.happens(happening{at, true, e}) }

// maxTold and lastTold bound what is kept of what processes tell, the first and the
// last of it: one that tells of every request must not grow the report, nor cost the
// generator its processor, and at its end it says what became of its writes.
const (
	maxTold  = 10_000
	lastTold = 100
)

func (r *run) happens(h happening) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.told {
		if r.told++; r.told > maxTold {
			if r.lately = append(r.lately, h); len(r.lately) >= 2*lastTold {
				r.lately = append(r.lately[:0], r.lately[lastTold:]...)
			}
			return
		}
	}
	r.happened = append(r.happened, h)
}

// targetEnv is what the target's processes carry: where its dependencies are,
// and where to tell what happens in it.
func (r *run) targetEnv() []string {
	env := append(r.env(), note.Var+"="+r.events.Address())
	return append(env, backend.Env(r.dependencies)...)
}

func (r *run) dependency(name string) *backend.Backend {
	i := slices.IndexFunc(r.dependencies, func(b *backend.Backend) bool { return b.Name() == name })
	if i < 0 {
		return nil
	}
	return r.dependencies[i]
}

// dependencyURLs is what templates of dependencies stand for.
func (r *run) dependencyURLs() map[string]string {
	urls := map[string]string{}
	for _, b := range r.dependencies {
		urls[b.Name()] = b.URL()
	}
	return urls
}

// ownerOf returns the dependency that a proxy stands before; "" for the target.
func (r *run) ownerOf(proxy string) string {
	for _, b := range r.dependencies {
		if slices.Contains(b.ProxyNames(), proxy) {
			return b.Name()
		}
	}
	return ""
}

func (r *run) describeDependencies() []reports.Dependency {
	list := []reports.Dependency{}
	for _, b := range r.dependencies {
		c := b.Config()
		if b.Mode() == "" {
			continue // it has not even been tried
		}
		list = append(list, reports.Dependency{
			Name: b.Name(), Kind: c.Kind, Mode: b.Mode(), Server: b.Server(),
			Topology: c.Topology, Replicas: c.Replicas, Replication: c.Replication, URL: b.URL(),
		})
	}
	return list
}

// servers is what faults may do to the dependencies.
func (r *run) servers() map[string]chaos.Dependency {
	all := map[string]chaos.Dependency{}
	for _, b := range r.dependencies {
		all[b.Name()] = servers{b}
	}
	return all
}

// servers lets faults strike a dependency's servers.
type servers struct{ *backend.Backend }

// Servers implements [chaos.Dependency].
func (s servers) Servers(role string) ([]chaos.Server, error) {
	nodes, err := s.Select(backend.Role(role))
	if err != nil {
		return nil, err
	}
	list := make([]chaos.Server, len(nodes))
	for i, n := range nodes {
		list[i] = chaos.Server{Name: n.Name, Role: string(n.Role), ID: n.ID, All: s.Processes(n.Name)}
	}
	return list, nil
}

// Lag implements [chaos.Dependency].
func (s servers) Lag(ctx context.Context) (func(context.Context) error, error) {
	undo, err := s.Backend.Lag(ctx)
	return undo, err
}

// Fill implements [chaos.Dependency].
func (s servers) Fill(ctx context.Context) (func(context.Context) error, error) {
	undo, err := s.Backend.Fill(ctx)
	return undo, err
}

// Stop implements [chaos.Dependency].
func (s servers) Stop(ctx context.Context, server string) error {
	_, err := s.StopNode(ctx, server) // Start undoes it
	return err
}

// Start implements [chaos.Dependency].
func (s servers) Start(ctx context.Context, server string) error { return s.StartNode(ctx, server) }

package backend

import (
	"context"
	"fmt"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// Undo reverts a fault. It may be called once; nothing needs it once the
// dependency was stopped.
type Undo func(ctx context.Context) error

// patience bounds what has to wait for other servers.
const patience = 30 * time.Second

type promoter interface {
	promote(ctx context.Context) error
}

type lagger interface {
	lag(ctx context.Context) (Undo, error)
}

type filler interface {
	fill(ctx context.Context) (Undo, error)
}

// restarter is an engine whose nodes do not come back by being started again.
type restarter interface {
	restart(ctx context.Context, n *node) error
}

// Promote makes a replica the primary although the primary lives, as an
// operator does before maintenance, and returns once clients can reach the new
// one. The old primary follows it from then on.
func (b *Backend) Promote(ctx context.Context) error {
	p, ok := b.engine.(promoter)
	if !ok {
		return fmt.Errorf("promote dependency %s: %w", b.name, b.incapable("has no replica that could be promoted"))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.promote(ctx); err != nil {
		return fmt.Errorf("promote dependency %s: %w", b.name, err)
	}
	return nil
}

// Lag holds the replicas back: they go on answering from what they had, and
// catch up once it is undone. It is PostgreSQL's: a Redis replica cannot be held
// back while it answers.
func (b *Backend) Lag(ctx context.Context) (Undo, error) {
	l, ok := b.engine.(lagger)
	if !ok {
		return nil, fmt.Errorf("lag dependency %s: %w", b.name, b.incapable("has no replica that can be held back (PostgreSQL's can)"))
	}
	undo, err := l.lag(ctx)
	if err != nil {
		return nil, fmt.Errorf("lag dependency %s: %w", b.name, err)
	}
	return undo, nil
}

// Fill uses a server up: all connections of a PostgreSQL are taken, those that
// clients have stay open; a Redis is at its memory limit and refuses to write.
func (b *Backend) Fill(ctx context.Context) (Undo, error) {
	f, ok := b.engine.(filler)
	if !ok {
		return nil, fmt.Errorf("fill dependency %s: %w", b.name, b.incapable("has nothing that could be full (PostgreSQL and Redis have)"))
	}
	undo, err := f.fill(ctx)
	if err != nil {
		return nil, fmt.Errorf("fill dependency %s: %w", b.name, err)
	}
	return undo, nil
}

func (b *Backend) incapable(why string) error {
	if b.mode == "external" {
		return errExternal
	}
	return fmt.Errorf("a %s (%s) %s", b.config.Kind, b.mode, why)
}

// StopNode ends a node as an operator does: it takes its leave. Undo starts it
// again.
func (b *Backend) StopNode(ctx context.Context, name string) (Undo, error) {
	n, err := b.node(name)
	if err != nil {
		return nil, err
	}
	if !n.alive() {
		return nil, fmt.Errorf("stop %s of dependency %s: it has ended already", name, b.name)
	}
	n.end(ctx)
	b.observe(Change{Node: name, Event: Stopped, What: name + " was stopped"})
	return func(ctx context.Context) error { return b.StartNode(ctx, name) }, nil
}

// StartNode starts a node again that was stopped or killed, and returns once it
// answers. It keeps what it had written, except an embedded Redis, which is
// empty. A PostgreSQL whose place another took comes back as its replica; such
// a Redis too, once its cluster or its sentinels tell it to, which takes the
// sentinels up to 10 s: until then it takes writes that will be lost.
func (b *Backend) StartNode(ctx context.Context, name string) error {
	n, err := b.node(name)
	if err != nil {
		return err
	}
	if alive, err := n.awaitOver(ctx); err != nil || alive {
		return err
	}
	began := clock.Now()
	if r, ok := b.engine.(restarter); ok {
		err = r.restart(ctx, n)
	} else {
		err = n.launch(ctx)
	}
	if err != nil {
		return fmt.Errorf("dependency %s: %w", b.name, err)
	}
	took := clock.Since(began)
	b.observe(Change{Node: name, Event: Started, Took: took, What: fmt.Sprintf("%s answers again, %s after its start", name, units.FormatDuration(took))})
	return nil
}

func (b *Backend) node(name string) (*node, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.nodes {
		if n.name == name && n.command != nil {
			return n, nil
		}
	}
	if b.mode == "external" {
		return nil, fmt.Errorf("dependency %s: %w", b.name, errExternal)
	}
	return nil, fmt.Errorf("dependency %s has no node %s", b.name, name)
}

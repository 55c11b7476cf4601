package backend

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
)

// embedded is a dependency inside a process of hachaos, told what to do over
// its standard input (see [Serve]).
type embedded struct {
	node  *node
	setup Setup
	talk  atomic.Pointer[proc.Talk] // with its process at the moment
}

// urls are how clients address an embedded server.
var urls = map[string]string{
	"redis": "redis://%s/0", "postgres": "postgres://app@%s/app?sslmode=disable", "http": "http://%s", "tcp": "tcp://%s",
}

func (e *embedded) start(ctx context.Context, b *Backend) error {
	var err error
	e.node, err = b.add(node{name: "node-1", role: Main, proxy: b.name, command: nil, answers: e.listens})
	if err != nil {
		return err
	}
	e.node.command, e.node.start = e.command, e.converse
	e.setup = Setup{Listen: e.node.addr, Folder: b.folder}
	address, err := b.front(ctx, b.name, b.config.Port, e.node.addr)
	if err != nil {
		return err
	}
	b.url = fmt.Sprintf(urls[b.config.Kind], address)
	if b.config.Replicas > 0 {
		if err := e.addReplica(ctx, b); err != nil {
			return err
		}
	}
	if err := e.node.launch(ctx); err != nil {
		return err
	}
	return nil
}

// addReplica adds a second, read-only address of the same process. It is no
// node of its own: what strikes the process strikes both.
func (e *embedded) addReplica(ctx context.Context, b *Backend) error {
	p, err := port.Free()
	if err != nil {
		return err
	}
	e.setup.ReplicaListen = local(p)
	name := b.name + "-replica-1"
	address, err := b.front(ctx, name, 0, e.setup.ReplicaListen)
	if err != nil {
		return err
	}
	b.replica = fmt.Sprintf(urls[b.config.Kind], address)
	b.mu.Lock()
	defer b.mu.Unlock()
	e.node.role = Primary
	b.nodes = append(b.nodes, &node{b: b, name: "node-2", addr: e.setup.ReplicaListen, role: Replica, proxy: name, twin: e.node})
	return nil
}

func (e *embedded) command() (proc.Command, error) {
	self := e.node.b.opts.Self
	return proc.Command{Path: self[0], Args: append(slices.Clone(self[1:]), "backend", e.node.b.config.Kind)}, nil
}

// converse starts the process and tells it what it is to be.
func (e *embedded) converse(c proc.Command) (*proc.Process, error) {
	talk, err := proc.Converse(c)
	if err != nil {
		return nil, err
	}
	e.node.b.wg.Go(func() {
		<-talk.Done()
		talk.HangUp()
	})
	e.talk.Store(talk)
	_ = talk.Tell(e.setup) // one that has ended by now is found out by listens
	return talk.Process, nil
}

// listens waits until the process says that it listens.
func (e *embedded) listens(ctx context.Context) error {
	var said Listening
	if err := e.talk.Load().Hear(ctx, &said); err != nil {
		if ctx.Err() == nil {
			return final{err}
		}
		return err
	}
	e.node.b.setServer(said.Server)
	return nil
}

// order tells the process to do something and waits until it is done.
func (e *embedded) order(ctx context.Context, order string) error {
	talk := e.talk.Load()
	if talk == nil {
		return os.ErrProcessDone
	}
	answer, err := talk.Ask(ctx, order)
	if err != nil {
		return err
	}
	if answer != "ok" {
		return fmt.Errorf("%s: %s", order, answer)
	}
	return nil
}

func (e *embedded) fill(ctx context.Context) (Undo, error) {
	if kind := e.node.b.config.Kind; kind != "redis" && kind != "postgres" {
		return nil, e.node.b.incapable("has nothing that could be full (PostgreSQL and Redis have)")
	}
	return e.toggle(ctx, "fill")
}

func (e *embedded) lag(ctx context.Context) (Undo, error) {
	if e.setup.ReplicaListen == "" {
		return nil, e.node.b.incapable("has no replica that can be held back (PostgreSQL's can)")
	}
	return e.toggle(ctx, "lag")
}

func (e *embedded) toggle(ctx context.Context, what string) (Undo, error) {
	if err := e.order(ctx, what+" on"); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return e.order(ctx, what+" off") }, nil
}

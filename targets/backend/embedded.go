package backend

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
)

// embedded is a dependency inside a process of hachaos, told what to do over
// its standard input (see [Serve]).
type embedded struct {
	node  *node
	setup Setup

	mu      sync.Mutex
	orders  *os.File // standard input of the process: orders, and its lifeline
	answers *bufio.Reader
	output  *os.File
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
	e.node.command = e.command
	e.node.ended = e.closePipes
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

// command makes the pipes of a new process; the ends that it inherits are
// closed by [node.spawn].
func (e *embedded) command() (proc.Command, error) {
	in, orders, err := os.Pipe()
	if err != nil {
		return proc.Command{}, err
	}
	output, out, err := os.Pipe()
	if err != nil {
		in.Close()
		orders.Close()
		return proc.Command{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.orders, e.output, e.answers = orders, output, bufio.NewReader(output)
	// The pipe holds it even if nobody reads.
	if err := json.NewEncoder(orders).Encode(e.setup); err != nil {
		return proc.Command{}, err
	}
	self := e.node.b.opts.Self
	return proc.Command{
		Path: self[0], Args: append(slices.Clone(self[1:]), "backend", e.node.b.config.Kind),
		Stdin: in, Stdout: out,
	}, nil
}

// listens waits until the process says that it listens.
func (e *embedded) listens(ctx context.Context) error {
	line, err := e.answer(ctx)
	if err != nil {
		return err
	}
	var said Listening
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		return final{fmt.Errorf("it said %q", line)}
	}
	e.node.b.setServer(said.Server)
	return nil
}

// answer reads one line of what the process says.
func (e *embedded) answer(ctx context.Context) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.output == nil {
		return "", os.ErrProcessDone
	}
	_ = e.output.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { _ = e.output.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := e.answers.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("it says nothing: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// closePipes forgets a process that has ended.
func (e *embedded) closePipes() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.orders != nil {
		e.orders.Close()
		e.output.Close()
		e.orders, e.output = nil, nil
	}
}

// order tells the process to do something and waits until it is done.
func (e *embedded) order(ctx context.Context, order string) error {
	e.mu.Lock()
	orders := e.orders
	e.mu.Unlock()
	if orders == nil {
		return os.ErrProcessDone
	}
	if _, err := fmt.Fprintln(orders, order); err != nil {
		return err
	}
	line, err := e.answer(ctx)
	if err != nil {
		return err
	}
	if line != "ok" {
		return fmt.Errorf("%s: %s", order, line)
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

package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
)

// grace is how long a server may take to end before it is killed.
const grace = 5 * time.Second

// node is one server of a dependency, and the process that it is at the moment.
type node struct {
	b    *Backend
	name string
	addr string // its own address
	// command says how it is started, the first time and again.
	command func() (proc.Command, error)
	// start starts it: [proc.Start], unless the engine has a way of its own.
	start func(proc.Command) (*proc.Process, error)
	// answers asks whether it takes connections and does its work.
	answers func(ctx context.Context) error
	// stop is the signal that ends it; SIGTERM if nil.
	stop os.Signal
	// ended cleans up after its process.
	ended func()

	// The rest is guarded by the backend's lock.
	role     Role
	proxy    string
	twin     *node // the node whose process it shares, if any
	process  *proc.Process
	over     chan struct{} // closed when the process has ended and was cleaned up after
	expected bool          // its end: it was stopped by us
}

// add makes a node on a free port, or on the address given.
func (b *Backend) add(n node) (*node, error) {
	if n.addr == "" {
		p, err := port.Free()
		if err != nil {
			return nil, err
		}
		n.addr = local(p)
	}
	n.b, n.start = b, proc.Start
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = append(b.nodes, &n)
	return &n, nil
}

// log is the file that the node's output goes to.
func (n *node) log() string { return filepath.Join(n.b.folder, n.name+".log") }

func (n *node) processLocked() *proc.Process {
	if n.twin != nil {
		return n.twin.process
	}
	return n.process
}

func (n *node) aliveLocked() bool {
	p := n.processLocked()
	if p == nil {
		return false
	}
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

func (n *node) alive() bool {
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	return n.aliveLocked()
}

// awaitOver returns whether the node lives. Of one that has just ended it waits
// until that is known here and it was cleaned up after, lest that strikes its
// successor.
func (n *node) awaitOver(ctx context.Context) (alive bool, err error) {
	n.b.mu.Lock()
	p, over := n.process, n.over
	n.b.mu.Unlock()
	if p == nil || proc.Alive(p.ID()) {
		return p != nil, nil
	}
	select {
	case <-over:
		return false, nil
	case <-ctx.Done():
		return false, fmt.Errorf("what is left of %s does not end: %w", n.name, ctx.Err())
	}
}

// errStopped says that nothing is started any more.
var errStopped = errors.New("the dependency is being stopped")

// launch starts the node's process and waits until it answers.
func (n *node) launch(ctx context.Context) error {
	p, err := n.spawn()
	if err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	if err := n.awaitAnswer(ctx, p); err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	return nil
}

func (n *node) spawn() (*proc.Process, error) {
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c, err := n.command()
	if err != nil {
		return nil, err
	}
	p, err := n.begin(c, log)
	if err != nil && n.ended != nil {
		n.ended()
	}
	return p, err
}

func (n *node) begin(c proc.Command, log *os.File) (*proc.Process, error) {
	c.Env = append(c.Env, n.b.opts.Env...)
	c.Stdout, c.Stderr = log, log
	if c.Dir == "" {
		c.Dir = n.b.folder
	}
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	if n.b.stopped {
		return nil, errStopped
	}
	p, err := n.start(c)
	if err != nil {
		return nil, err
	}
	over := make(chan struct{})
	n.process, n.over, n.expected = p, over, false
	if n.b.opts.OnStart != nil {
		n.b.opts.OnStart(p.ID())
	}
	n.b.wg.Go(func() {
		defer close(over)
		n.watch(p)
	})
	return p, nil
}

// watch waits for a process's end and tells of it if it was not wanted.
func (n *node) watch(p *proc.Process) {
	exit := p.Exit()
	if n.ended != nil {
		n.ended()
	}
	n.b.mu.Lock()
	wanted := n.expected || n.b.stopped
	n.b.mu.Unlock()
	if !wanted {
		n.b.observe(Change{Node: n.name, Event: Ended, What: fmt.Sprintf("%s (pid %d) ended: %s", n.name, p.PID(), exit)})
	}
}

// awaitAnswer asks the node until it answers, its process ends or ctx does.
func (n *node) awaitAnswer(ctx context.Context, p *proc.Process) error {
	err := await(ctx, func() error {
		select {
		case <-p.Done():
			return final{fmt.Errorf("it ended: %s", p.Exit())}
		default:
		}
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return n.answers(attempt)
	})
	if err != nil {
		return proc.WithTail(err, n.log())
	}
	return nil
}

// end asks the node's process to end, and kills it when grace is over or ctx
// ends.
func (n *node) end(ctx context.Context) {
	n.b.mu.Lock()
	p := n.process
	n.expected = true
	n.b.mu.Unlock()
	if p == nil {
		return
	}
	if n.stop != nil {
		_ = p.Signal(n.stop) // one that has ended is what is wanted
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if n.stop == nil {
		p.Stop(ctx)
		return
	}
	thaw(p)
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
	}
}

// final is an error that no further attempt will change.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// await tries until it works, until an attempt is final, or until ctx ends.
func await(ctx context.Context, try func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		var last final
		if err == nil || errors.As(err, &last) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-tick.C:
		}
	}
}

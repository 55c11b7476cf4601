package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
)

// Options say where a dependency lives and who wants to know of it.
type Options struct {
	Self    []string      // how hachaos itself is started: its path
	Env     []string      // "NAME=value" for every process: the run's id above all
	Folder  string        // the run's folder; the dependency makes its own in it
	Proxies Proxies       // nil: clients reach the nodes themselves
	OnStart func(proc.ID) // called for each process that is started
	Observe func(Change)  // called for each change, one call at a time
}

// Backend is a dependency of a target. Its methods may be called from several
// goroutines once Start returned.
type Backend struct {
	name   string
	config Config
	opts   Options
	folder string
	engine engine

	mu      sync.Mutex
	nodes   []*node
	mode    string
	server  string
	url     string
	replica string
	stopped bool
	last    []func() // what is closed when all has ended

	observing sync.Mutex
	ctx       context.Context // ends when the dependency is stopped
	cancel    context.CancelFunc
	wg        sync.WaitGroup
}

// engine is one way to provide a dependency. It sets the backend's addresses
// and adds its nodes; those live in the backend. An engine whose nodes can be
// promoted, held back or filled up has the methods of [promoter], [lagger] and
// [filler] too.
type engine interface {
	start(ctx context.Context, b *Backend) error
}

// New returns a dependency that has not been started. config has its defaults
// and was checked.
func New(name string, config Config, opts Options) *Backend {
	b := &Backend{name: name, config: config, opts: opts, folder: filepath.Join(opts.Folder, "dependency-"+name)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// Start starts the dependency and returns once it takes connections. An error
// says what did not start, with the last lines of its log; what had started by
// then is stopped by [Backend.Stop].
func (b *Backend) Start(ctx context.Context) error {
	began := clock.Now()
	if err := b.choose(); err != nil {
		return fmt.Errorf("start dependency %s: %w", b.name, err)
	}
	if b.mode != "external" {
		if err := os.Mkdir(b.folder, 0o700); err != nil {
			return fmt.Errorf("start dependency %s: %w", b.name, err)
		}
	}
	if err := b.engine.start(ctx, b); err != nil {
		return fmt.Errorf("start dependency %s: %w", b.name, err)
	}
	took := clock.Since(began)
	b.observe(Change{Event: Started, Took: took, What: b.described(took)})
	return nil
}

func (b *Backend) described(took time.Duration) string {
	if b.mode == "external" {
		return "external, used as it is"
	}
	what := fmt.Sprintf("%s (%s), started in %s", b.Server(), b.mode, units.FormatDuration(took))
	if b.mode == "embedded" && b.config.FailoverAfter > 0 {
		what += "; it cannot fail over: that needs real servers"
	}
	return what
}

// Stop ends every process of the dependency. Its data is of no use any more, so
// none is given time to save it; those that have not ended with ctx are killed.
func (b *Backend) Stop(ctx context.Context) error {
	b.mu.Lock()
	b.stopped = true
	nodes := append([]*node(nil), b.nodes...)
	b.mu.Unlock()
	b.cancel()
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() { n.end(ctx) })
	}
	wg.Wait()
	b.wg.Wait()
	for _, f := range b.last {
		f()
	}
	return nil
}

// atStop lets f run once nothing of the dependency does any more.
func (b *Backend) atStop(f func()) { b.last = append(b.last, f) }

// Name is the dependency's name.
func (b *Backend) Name() string { return b.name }

// Config is what the dependency was made from.
func (b *Backend) Config() Config { return b.config }

// Mode is how it is provided, known once it was started: local, embedded or
// external.
func (b *Backend) Mode() string { return b.mode }

// Server is which server it is and of which version, "redis-server 7.0.15"; ""
// if that is not known.
func (b *Backend) Server() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.server
}

func (b *Backend) setServer(server string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = server
}

// URL is where clients reach it: through its proxies.
func (b *Backend) URL() string { return b.url }

// ReplicaURL is where clients read from a replica; "" if there is none.
func (b *Backend) ReplicaURL() string { return b.replica }

// ProxiedReplication tells whether nodes reach each other through the proxies
// too, so that a fault on a proxy also strikes replication.
func (b *Backend) ProxiedReplication() bool {
	return b.mode == "local" && (b.config.Topology == "sentinel" || b.config.Topology == "cluster")
}

// Nodes lists the nodes, the living and the dead.
func (b *Backend) Nodes() []Node {
	b.mu.Lock()
	defer b.mu.Unlock()
	nodes := make([]Node, len(b.nodes))
	for i, n := range b.nodes {
		nodes[i] = Node{Name: n.name, Role: n.role, Proxy: n.proxy, Addr: n.addr, Alive: n.aliveLocked()}
		if nodes[i].Alive {
			nodes[i].ID = n.processLocked().ID()
		}
	}
	return nodes
}

// ProxyNames lists the proxies that clients reach the dependency through, those
// of sentinels among them.
func (b *Backend) ProxyNames() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for _, n := range b.nodes {
		if n.proxy != "" {
			names = append(names, n.proxy)
		}
	}
	return names
}

// errExternal says that a fault needs a server of our own.
var errExternal = errors.New("it is external: only its network can be broken")

func (b *Backend) observe(c Change) {
	if b.opts.Observe == nil {
		return
	}
	b.observing.Lock()
	defer b.observing.Unlock()
	c.At, c.Dependency = clock.Now(), b.name
	b.opts.Observe(c)
}

// front makes the proxy before an address, and returns the proxy's; without
// proxies, the address itself. at is the proxy's port, 0 for a free one.
func (b *Backend) front(ctx context.Context, name string, at int, upstream string) (string, error) {
	if b.opts.Proxies == nil {
		return upstream, nil
	}
	if at == 0 {
		// It will be closed and opened again, so it must not be one that the
		// system gives to somebody else meanwhile.
		free, err := port.Free()
		if err != nil {
			return "", err
		}
		at = free
	}
	address, err := b.opts.Proxies.Add(ctx, name, local(at), upstream)
	if err != nil {
		return "", fmt.Errorf("put a proxy before it: %w", err)
	}
	return address, nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

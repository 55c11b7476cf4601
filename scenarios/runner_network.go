package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/chaos/netproxy"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/proc"
)

// frontName is the name of the proxy before the target.
const frontName = "front"

// networkTimeout bounds how long the proxies may take to start, and to answer.
const networkTimeout = 20 * time.Second

// network is the chaos proxies of a run: one process.
type network struct {
	process *proc.Talk
	client  *netproxy.Client
	log     string
	front   string // where the proxy before the target listens; "" without one
}

// startNetwork starts the process of the proxies, which has none yet.
func (r *run) startNetwork(ctx context.Context) error {
	n := &network{log: filepath.Join(r.folder, "proxy.log")}
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start the chaos proxies: %w", err)
	}
	defer log.Close()
	args := append(slices.Clone(r.player.Self[1:]), "proxy", "--port", "0", "--seed", strconv.FormatUint(r.seed, 10))
	n.process, err = proc.Converse(proc.Command{Path: r.player.Self[0], Args: args, Env: r.env(), Stderr: log})
	if err != nil {
		return fmt.Errorf("start the chaos proxies: %w", err)
	}
	r.noteProcess(n.process.ID())
	r.network = n
	ctx, cancel := context.WithTimeout(ctx, networkTimeout)
	defer cancel()
	line, err := n.process.Line(ctx)
	if err != nil {
		return proc.WithTail(fmt.Errorf("start the chaos proxies: %w", err), n.log)
	}
	n.client = netproxy.NewClient(line)
	return nil
}

// stop ends the proxies.
func (n *network) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	n.process.Stop(ctx)
	n.process.HangUp()
}

// onEnd calls f if the proxies end while the run goes on. The function that it
// returns calls that off.
func (n *network) onEnd(f func(error)) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-n.process.Done():
			f(fmt.Errorf("the chaos proxies ended: %s", n.process.Exit()))
		case <-stopped:
		}
	}()
	return func() {
		close(stopped)
		<-done
	}
}

// Add implements [backend.Proxies].
func (n *network) Add(ctx context.Context, name, listen, upstream string) (string, error) {
	state, err := n.client.Add(ctx, netproxy.Config{Name: name, Listen: listen, Upstream: upstream, Enabled: true})
	return state.Listen, err
}

// Repoint implements [backend.Proxies].
func (n *network) Repoint(ctx context.Context, name, upstream string) error {
	state, err := n.client.Proxy(ctx, name)
	if err != nil {
		return err
	}
	state.Upstream = upstream
	_, err = n.client.Update(ctx, state.Config)
	return err
}

// placeFront puts a proxy before the target, if the scenario has one.
func (r *run) placeFront(ctx context.Context) error {
	if !r.scenario.Front {
		return nil
	}
	u, err := url.Parse(r.subject.URL())
	if err != nil {
		return fmt.Errorf("put a proxy before the target: %w", err)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	r.network.front, err = r.network.Add(ctx, frontName, "127.0.0.1:0", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("put a proxy before the target: %w", err)
	}
	return nil
}

// connect says how load and prober reach the target: at its own address, or
// through the proxy before it.
func (r *run) connect() loadgen.Connect {
	if r.network == nil {
		return loadgen.Connect{}
	}
	return loadgen.Connect{Via: r.network.front}
}

// API implements [chaos.Network].
func (r *run) API() string { return r.network.client.URL }

// Proxies implements [chaos.Network].
func (r *run) Proxies(s chaos.Spot) (names []string, note string, err error) {
	if s.Front {
		return []string{frontName}, "", nil
	}
	b := r.dependency(s.Dependency)
	if b == nil {
		return nil, "", fmt.Errorf("the run has no dependency %s", s.Dependency)
	}
	if b.ProxiedReplication() {
		note = "its nodes reach each other through the same proxies, so replication is struck too"
	}
	if s.Process == "" && s.Node == "" {
		return b.ProxyNames(), note, nil
	}
	var there []string
	for _, n := range b.Nodes() {
		there = append(there, fmt.Sprintf("%s (%s)", n.Name, n.Role))
		if n.Proxy != "" && (s.Node == n.Name || plays(n, s.Process)) {
			names = append(names, n.Proxy)
		}
	}
	if len(names) == 0 {
		return nil, "", fmt.Errorf("no server of dependency %s is %s (there are: %s)", s.Dependency, s.Process+s.Node, strings.Join(there, ", "))
	}
	return names, note, nil
}

// plays tells whether a node has a role; main is whoever takes writes.
func plays(n backend.Node, role string) bool {
	return string(n.Role) == role || role == "main" && n.Role == backend.Primary
}

// countPassed asks the proxies what went through them.
func (r *run) countPassed() {
	if r.network == nil || r.network.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), networkTimeout)
	defer cancel()
	stats, err := r.network.client.Stats(ctx)
	states, stateErr := r.network.client.Proxies(ctx)
	if err = errors.Join(err, stateErr); err != nil {
		r.warn("ask the chaos proxies what passed them: " + err.Error())
		return
	}
	list := []reports.Proxy{}
	for _, s := range stats {
		p := reports.Proxy{
			Name: s.Proxy, Dependency: r.ownerOf(s.Proxy),
			Listen: states[s.Proxy].Listen, Upstream: states[s.Proxy].Upstream,
			Connections: s.Connections, DialErrors: s.DialErrors,
			BytesUpstream: s.Upstream.Sent, BytesDownstream: s.Downstream.Sent,
			Faults: []reports.ProxyFault{},
		}
		for _, t := range s.Toxics {
			fault, _, _ := strings.Cut(t.Name, ".") // several toxics of one fault are numbered
			p.Faults = append(p.Faults, reports.ProxyFault{
				Fault: fault, Toxic: t.Type, Stream: t.Stream, Connections: t.Connections, Actions: t.Events, Bytes: t.Bytes,
			})
		}
		list = append(list, p)
	}
	r.mu.Lock()
	r.passed = list
	r.mu.Unlock()
}

package backend

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hachaos/hachaos/targets/proc"
)

// redisServers are what all topologies of Redis have in common.
type redisServers struct {
	program string
	b       *Backend
	data    []*redisNode // those that hold data, in the order of their names
}

// redisNode is one redis-server.
type redisNode struct {
	*node
	redisConn
	listen string // where clients and other nodes reach it: its proxy
	file   string // its configuration
}

// addServer makes a server and its proxy. config are the lines of its
// configuration beyond the common ones, given its proxy's address.
func (r *redisServers) addServer(ctx context.Context, name, proxy string, port int, config func(n *redisNode) []string) (*redisNode, error) {
	inner, err := r.b.add(node{name: name, proxy: proxy, role: Main})
	if err != nil {
		return nil, err
	}
	n := &redisNode{node: inner, redisConn: redisConn{addr: inner.addr}}
	n.listen, err = r.b.front(ctx, proxy, port, inner.addr)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.b.folder, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	// A title would be written over the environment, and with it the run's id.
	lines := append([]string{"set-proc-title no", "bind 127.0.0.1", "port " + portOf(inner.addr), "dir " + quoted(dir)}, config(n)...)
	// The server writes to it: who its primary is survives a restart.
	n.file = filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(n.file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	inner.answers = n.redisConn.answers
	r.b.atStop(n.redisConn.close)
	inner.command = func() (proc.Command, error) {
		return proc.Command{Path: r.program, Args: []string{n.file}}, nil
	}
	return n, nil
}

// addData makes a server that holds data.
func (r *redisServers) addData(ctx context.Context, name, proxy string, port int, config ...string) (*redisNode, error) {
	n, err := r.addServer(ctx, name, proxy, port, func(n *redisNode) []string {
		return append([]string{
			"protected-mode no",
			// What was answered was handed to the system by then, so that it
			// outlives the process.
			"appendonly yes", "appendfsync no", `save ""`,
			"repl-diskless-sync yes", "repl-diskless-sync-delay 0", "repl-ping-replica-period 1",
			"replica-announce-ip 127.0.0.1", "replica-announce-port " + portOf(n.listen),
		}, config...)
	})
	if err == nil {
		n.node.answers = n.loaded
		r.data = append(r.data, n)
	}
	return n, err
}

// loaded tells that the server has read what it had stored.
func (n *redisNode) loaded(ctx context.Context) error {
	fields, err := n.fields(ctx, "INFO", "persistence")
	if err == nil && fields["loading"] != "0" {
		err = fmt.Errorf("%s is loading", n.name)
	}
	return err
}

// linked tells that a replica has its primary's data and follows it.
func (n *redisNode) linked(ctx context.Context) error {
	fields, err := n.fields(ctx, "INFO", "replication")
	if err == nil && (fields["role"] != "slave" || fields["master_link_status"] != "up") {
		err = fmt.Errorf("%s does not follow a primary yet (role %s, link %s)", n.name, fields["role"], fields["master_link_status"])
	}
	return err
}

// lookEvery is how often the state of nodes is asked for.
const lookEvery = 100 * time.Millisecond

// watch calls look at intervals until the dependency is stopped.
func (b *Backend) watch(look func(ctx context.Context)) {
	b.wg.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-b.ctx.Done():
				return
			case <-tick.C:
				look(b.ctx)
			}
		}
	})
}

// fill sets the memory limit of every living server below what it uses.
func (r *redisServers) fill(ctx context.Context) (Undo, error) {
	saved := map[*redisNode][]string{}
	undo := func(ctx context.Context) error {
		var failed error
		for n, settings := range saved {
			if !n.alive() {
				continue // it comes back with what its file says
			}
			if _, err := n.do(ctx, append([]string{"CONFIG", "SET"}, settings...)...); err != nil {
				failed = err
			}
		}
		return failed
	}
	for _, n := range r.data {
		if !n.alive() {
			continue
		}
		settings, err := n.list(ctx, "CONFIG", "GET", "maxmemory*")
		if err == nil {
			saved[n] = memorySettings(settings)
			_, err = n.do(ctx, "CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
		}
		if err != nil {
			return nil, fmt.Errorf("%w (undone: %v)", err, undo(ctx) == nil)
		}
	}
	if len(saved) == 0 {
		return nil, fmt.Errorf("no server of it is alive")
	}
	return undo, nil
}

// memorySettings picks those that fill changes.
func memorySettings(all []string) (kept []string) {
	for i := 0; i+1 < len(all); i += 2 {
		if all[i] == "maxmemory" || all[i] == "maxmemory-policy" {
			kept = append(kept, all[i], all[i+1])
		}
	}
	return kept
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// quoted is a word of a configuration file.
func quoted(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// redisSingle is one server.
type redisSingle struct{ redisServers }

func (r *redisSingle) start(ctx context.Context, b *Backend) error {
	r.b = b
	n, err := r.addData(ctx, "node-1", b.name, b.config.Port)
	if err != nil {
		return err
	}
	b.url = fmt.Sprintf(urls["redis"], n.listen)
	return n.launch(ctx)
}

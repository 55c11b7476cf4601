package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/proc"
)

// postgres is a PostgreSQL and its streaming replicas. Replicas follow their
// primary past the proxies: those are the clients' network.
type postgres struct {
	bin  string
	user string // that its processes run as; "" is this process's own
	key  key    // its superuser's
	b    *Backend
	all  []*postgresNode // in the order of their names

	mu     sync.Mutex // held while it is decided who is primary
	gone   clock.Time // since when the primary does not answer; 0 if it does
	warned bool       // that nobody can take its place
}

// postgresNode is one server.
type postgresNode struct {
	*node
	sqlConn
	dir string // its data
	// follows is whom it was last told to follow; nil: its data is not that of a
	// replica.
	follows *postgresNode
}

func (p *postgres) start(ctx context.Context, b *Backend) error {
	p.b = b
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.cutKey(); err != nil {
		return err
	}
	address, err := p.add(ctx, Primary, b.name, b.config.Port)
	if err != nil {
		return err
	}
	b.url = fmt.Sprintf(urls["postgres"], address)
	var replicas []string
	for i := range b.config.Replicas {
		address, err := p.add(ctx, Replica, fmt.Sprintf("%s-replica-%d", b.name, i+1), 0)
		if err != nil {
			return err
		}
		replicas = append(replicas, address)
	}
	if err := p.startPrimary(ctx); err != nil {
		return err
	}
	if len(replicas) == 0 {
		p.leave(p.all[0])
		return nil
	}
	b.replica = fmt.Sprintf(urls["postgres"], strings.Join(replicas, ","))
	for _, n := range p.all[1:] {
		if err := p.build(ctx, n, p.all[0]); err != nil {
			return err
		}
	}
	if err := p.synchronize(ctx, p.all[0]); err != nil {
		return err
	}
	b.watch(p.look)
	return nil
}

// settle prepares the folder: root may not run PostgreSQL, and the user that
// does must get at its data, and at nothing else.
func (p *postgres) settle() (err error) {
	// Its processes are known by where they are, which the system tells without
	// links.
	if p.b.folder, err = filepath.EvalSymlinks(p.b.folder); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	p.user = "postgres"
	uid, gid, err := idsOf(p.user)
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	// Others of the group may pass through the run's folder, not look into it.
	if err := errors.Join(os.Chown(p.b.opts.Folder, -1, gid), os.Chmod(p.b.opts.Folder, 0o710)); err != nil {
		return err
	}
	if closed := closedTo(uid, gid, p.b.folder); closed != "" {
		return fmt.Errorf("PostgreSQL does not run as root, and its user %s may not enter %s (set TMPDIR to a folder that all users may enter, or run hachaos as another user)", p.user, closed)
	}
	return os.Chown(p.b.folder, uid, gid)
}

// add makes a node and the proxy that leads to it.
func (p *postgres) add(ctx context.Context, role Role, proxy string, port int) (address string, err error) {
	name := fmt.Sprintf("node-%d", len(p.all)+1)
	if role == Primary && p.b.config.Replicas == 0 {
		role = Main
	}
	inner, err := p.b.add(node{name: name, role: role, proxy: proxy, stop: syscall.SIGQUIT})
	if err != nil {
		return "", err
	}
	n := &postgresNode{node: inner, sqlConn: sqlConn{server: inner.addr, password: p.key.password}, dir: filepath.Join(p.b.folder, name)}
	inner.answers = n.ready
	inner.command = func() (proc.Command, error) { return p.program(n), nil }
	inner.ended = func() { sweep(n.dir) }
	p.b.atStop(n.sqlConn.close)
	p.all = append(p.all, n)
	return p.b.front(ctx, proxy, port, inner.addr)
}

// program is how a server is started. What it wrote is left to the system, which
// keeps it when the process dies; so nothing is synced. Full pages stay on: a
// kill may end a write in the middle.
func (p *postgres) program(n *postgresNode) proc.Command {
	args := []string{"-D", n.dir}
	for _, setting := range []string{
		"port=" + portOf(n.addr), "listen_addresses=127.0.0.1", "unix_socket_directories=",
		"fsync=off", "shared_buffers=16MB", "dynamic_shared_memory_type=mmap", "logging_collector=off", "log_destination=stderr",
		"max_wal_senders=12", "wal_keep_size=64MB", "wal_retrieve_retry_interval=200ms",
		"wal_receiver_status_interval=1s", "wal_receiver_timeout=5s", "wal_sender_timeout=5s",
	} {
		args = append(args, "-c", setting)
	}
	return proc.Command{Path: filepath.Join(p.bin, "postgres"), Args: args, User: p.user}
}

func (p *postgres) startPrimary(ctx context.Context) error {
	n := p.all[0]
	err := p.run(ctx, n, "initdb", "-D", n.dir, "-U", "postgres", "-A", "scram-sha-256", "--pwfile="+p.key.word, "-E", "UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return err
	}
	// Replicas are copies, and let in the same.
	if err := os.WriteFile(filepath.Join(n.dir, "pg_hba.conf"), []byte(admission), 0o600); err != nil {
		return err
	}
	if err := n.launch(ctx); err != nil {
		return err
	}
	// Applications are no superusers: for those, connections are kept back.
	for _, statement := range []string{"CREATE ROLE app LOGIN", "CREATE DATABASE app OWNER app"} {
		if err := n.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// leave hangs up on a server that nobody has to watch: one that is told to end by
// SIGTERM waits for whoever is connected.
func (p *postgres) leave(n *postgresNode) {
	if len(p.all) == 1 {
		n.sqlConn.close()
	}
}

// build copies a primary and starts the copy as its replica.
func (p *postgres) build(ctx context.Context, n, primary *postgresNode) error {
	if err := os.RemoveAll(n.dir); err != nil {
		return err
	}
	if err := p.run(ctx, n, "pg_basebackup", "-D", n.dir, "-d", p.conninfo(n, primary), "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		return err
	}
	n.follows = primary
	return p.startReplica(ctx, n)
}

func (p *postgres) startReplica(ctx context.Context, n *postgresNode) error {
	if err := n.launch(ctx); err != nil {
		return err
	}
	return await(ctx, func() error {
		var state string
		err := n.follows.get(ctx, &state, "SELECT coalesce(max(state), 'absent') FROM pg_stat_replication WHERE application_name = '"+n.name+"'")
		if err == nil && state != "streaming" {
			err = fmt.Errorf("%s does not follow %s yet: %s", n.name, n.follows.name, state)
		}
		return err
	})
}

// conninfo is how a replica reaches its primary.
func (p *postgres) conninfo(n, primary *postgresNode) string {
	return fmt.Sprintf("host=127.0.0.1 port=%s user=postgres passfile=%s application_name=%s sslmode=disable connect_timeout=2", portOf(primary.addr), quotedValue(p.key.passfile), n.name)
}

// synchronize lets a primary wait for any one of its replicas, if it is to.
func (p *postgres) synchronize(ctx context.Context, primary *postgresNode) error {
	if p.b.config.Replication != "sync" {
		return nil
	}
	var names []string
	for _, n := range p.all {
		if n != primary && n.follows == primary && n.alive() {
			names = append(names, `"`+n.name+`"`)
		}
	}
	setting := ""
	if len(names) > 0 {
		setting = "ANY 1 (" + strings.Join(names, ", ") + ")"
	} else {
		p.b.observe(Change{Node: primary.name, Event: NoReplica, What: primary.name + " has no replica left: it answers commits without waiting for one"})
	}
	if err := primary.set(ctx, "synchronous_standby_names", setting); err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	return await(ctx, func() error {
		var waits bool
		err := primary.get(ctx, &waits, "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'quorum'")
		if err == nil && !waits {
			err = fmt.Errorf("%s does not wait for a replica yet", primary.name)
		}
		return err
	})
}

// run runs one of PostgreSQL's tools to its end.
func (p *postgres) run(ctx context.Context, n *postgresNode, program string, args ...string) error {
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	tool, err := proc.Start(proc.Command{
		Path: filepath.Join(p.bin, program), Args: args, Env: p.b.opts.Env, Dir: p.b.folder, Stdout: log, Stderr: log, User: p.user,
	})
	if err != nil {
		return err
	}
	if p.b.opts.OnStart != nil {
		p.b.opts.OnStart(tool.ID())
	}
	select {
	case <-tool.Done():
	case <-ctx.Done():
		tool.Kill()
		return proc.WithTail(fmt.Errorf("%s: %w", program, ctx.Err()), n.log())
	}
	if exit := tool.Exit(); exit.Failed() {
		return proc.WithTail(fmt.Errorf("%s: %s", program, exit), n.log())
	}
	return nil
}

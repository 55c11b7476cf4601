package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// look asks the primary whether it lives, and puts a replica in its place once
// it has not answered for failover_after.
func (p *postgres) look(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, after := clock.Now(), p.b.config.FailoverAfter.Std()
	ping, cancel := context.WithTimeout(ctx, after)
	defer cancel()
	if p.primary().ready(ping) == nil {
		p.gone, p.warned = 0, false
		return
	}
	if p.gone == 0 {
		p.gone = asked
	}
	if ctx.Err() != nil || clock.Since(p.gone) < after {
		return
	}
	ctx, cancel = context.WithTimeout(ctx, patience)
	defer cancel()
	old := p.primary()
	next, err := p.takeOver(ctx)
	if err != nil {
		if !p.warned && p.b.ctx.Err() == nil {
			p.b.observe(Change{Node: old.name, Event: Failed, What: fmt.Sprintf("nobody takes the place of %s: %v", old.name, err)})
		}
		p.warned = true
		return
	}
	took := clock.Since(p.gone)
	p.gone = 0
	p.b.observe(Change{Node: next.name, Event: FailedOn, Took: took, What: fmt.Sprintf("%s is the primary, %s after %s was gone", next.name, units.FormatDuration(took), old.name)})
}

// primary is the node that takes writes, or did until it was gone.
func (p *postgres) primary() *postgresNode {
	for _, n := range p.all {
		if role := p.b.roleOf(n.node); role == Primary || role == Main {
			return n
		}
	}
	return p.all[0]
}

// takeOver fences the primary and makes the most advanced replica the new one.
func (p *postgres) takeOver(ctx context.Context) (*postgresNode, error) {
	old := p.primary()
	if _, err := p.mostAdvanced(ctx); err != nil {
		return nil, err
	}
	p.fence(old)
	// Until then they may have received more.
	next, err := p.mostAdvanced(ctx)
	if err != nil {
		return nil, err
	}
	next.follows = nil
	if p.b.config.Replication == "sync" {
		// Else it would wait for those that its copy of the primary's settings names.
		if err := next.set(ctx, "synchronous_standby_names", ""); err != nil {
			return nil, err
		}
	}
	var promoted bool
	if err := next.get(ctx, &promoted, "SELECT pg_promote(true, 20)"); err != nil || !promoted {
		return nil, fmt.Errorf("promote %s: %w", next.name, errors.Join(err, errNotPromoted(promoted)))
	}
	p.follow(ctx, next)
	if err := p.swap(ctx, old, next); err != nil {
		return nil, err
	}
	return next, p.synchronize(ctx, next)
}

func errNotPromoted(promoted bool) error {
	if promoted {
		return nil
	}
	return errors.New("it is still recovering after 20 s")
}

// mostAdvanced is the living replica that has received the most. What was
// acknowledged with sync replication, it has.
func (p *postgres) mostAdvanced(ctx context.Context) (best *postgresNode, err error) {
	most := int64(-1)
	for _, n := range p.all {
		if p.b.roleOf(n.node) != Replica || !n.alive() {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, 2*askTimeout)
		var received int64
		err := n.get(ask, &received, "SELECT pg_wal_lsn_diff(coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0'), '0/0')::bigint")
		cancel()
		if err == nil && received > most {
			best, most = n, received
		}
	}
	if best == nil {
		return nil, errors.New("no replica answers")
	}
	return best, nil
}

// fence ends every process of a node for certain: two primaries would both take
// writes, and one's would be lost.
func (p *postgres) fence(n *postgresNode) {
	p.b.mu.Lock()
	n.expected = true
	process, over := n.process, n.over
	p.b.mu.Unlock()
	_ = process.Signal(os.Kill) // if it has ended, so much the better
	<-over
}

// follow tells the other replicas whom to follow.
func (p *postgres) follow(ctx context.Context, primary *postgresNode) {
	for _, n := range p.all {
		if n == primary || n.follows == nil {
			continue
		}
		n.follows = nil
		if n.alive() && n.set(ctx, "primary_conninfo", p.conninfo(n, primary)) == nil {
			n.follows = primary
		}
	}
}

// swap exchanges the roles of two nodes. The proxy of the primary leads to the
// new one from now on. The other's goes on leading to it too, so that there is
// something to read from, until the old primary is back.
func (p *postgres) swap(ctx context.Context, old, next *postgresNode) error {
	p.b.mu.Lock()
	old.role, next.role = next.role, old.role
	old.proxy, next.proxy = next.proxy, old.proxy
	old.follows = nil
	proxy := next.proxy
	p.b.mu.Unlock()
	if p.b.opts.Proxies == nil {
		return nil
	}
	return p.b.opts.Proxies.Repoint(ctx, proxy, next.addr)
}

// promote puts a replica in the place of a primary that lives: it takes its
// leave first, which hands over all that it has, and comes back as a replica.
func (p *postgres) promote(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	began := clock.Now()
	old := p.primary()
	if _, err := p.mostAdvanced(ctx); err != nil {
		return err
	}
	p.b.mu.Lock()
	old.expected = true
	process := old.process
	p.b.mu.Unlock()
	_ = process.Signal(syscall.SIGINT)
	select {
	case <-process.Done():
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", old.name, ctx.Err())
	}
	next, err := p.takeOver(ctx)
	if err != nil {
		return err
	}
	took := clock.Since(began)
	p.gone = 0
	p.b.observe(Change{Node: next.name, Event: Promoted, Took: took, What: fmt.Sprintf("%s is the primary in place of %s, after %s", next.name, old.name, units.FormatDuration(took))})
	return p.comeBack(ctx, old)
}

// restart starts a node again, as what it is by now.
func (p *postgres) restart(ctx context.Context, n *node) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.all {
		if known.node == n {
			return p.comeBack(ctx, known)
		}
	}
	return fmt.Errorf("there is no %s", n.name)
}

func (p *postgres) comeBack(ctx context.Context, n *postgresNode) error {
	primary := p.primary()
	if n == primary {
		defer p.leave(n)
		return n.launch(ctx)
	}
	if n.follows == primary {
		if err := p.startReplica(ctx, n); err != nil {
			return err
		}
	} else if err := p.build(ctx, n, primary); err != nil {
		return err
	}
	if p.b.opts.Proxies != nil {
		if err := p.b.opts.Proxies.Repoint(ctx, n.proxy, n.addr); err != nil {
			return err
		}
	}
	return p.synchronize(ctx, primary)
}

package backend

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// lag pauses the replay of what the living replicas receive.
func (p *postgres) lag(ctx context.Context) (Undo, error) {
	var held []*postgresNode
	undo := func(ctx context.Context) error {
		var failed []error
		for _, n := range held {
			// One that was promoted or has ended is not held any more.
			if n.alive() && p.b.roleOf(n.node) == Replica {
				failed = append(failed, n.exec(ctx, "SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_replay_resume() END"))
			}
		}
		return errors.Join(failed...)
	}
	for _, n := range p.all {
		if p.b.roleOf(n.node) != Replica || !n.alive() {
			continue
		}
		if err := n.exec(ctx, "SELECT pg_wal_replay_pause()"); err != nil {
			return nil, errors.Join(err, undo(ctx))
		}
		held = append(held, n)
		err := await(ctx, func() error {
			var state string
			err := n.get(ctx, &state, "SELECT pg_get_wal_replay_pause_state()")
			if err == nil && state != "paused" {
				err = errors.New("replay goes on: " + state)
			}
			return err
		})
		if err != nil {
			return nil, errors.Join(err, undo(ctx))
		}
	}
	if len(held) == 0 {
		return nil, errors.New("no replica of it is alive")
	}
	return undo, nil
}

// regrabEvery is how often it is looked whether a full server has got room: a
// process that is killed gives its connections back, and its successor may want
// them milliseconds later.
const regrabEvery = 20 * time.Millisecond

// fill takes every connection that an application could have, and those that
// applications give back.
func (p *postgres) fill(ctx context.Context) (Undo, error) {
	n := p.primary()
	hoard := &hoard{addr: n.addr}
	if err := hoard.grow(ctx); err != nil {
		hoard.release()
		return nil, err
	}
	full, err := connections(ctx, n)
	if err != nil {
		hoard.release()
		return nil, err
	}
	hold, cancel := context.WithCancel(p.b.ctx)
	done := make(chan struct{})
	p.b.wg.Go(func() {
		defer close(done)
		defer p.leave(n)
		defer hoard.release()
		tick := time.NewTicker(regrabEvery)
		defer tick.Stop()
		for {
			select {
			case <-hold.Done():
				return
			case <-tick.C:
				if now, err := connections(hold, n); err == nil && now < full {
					_ = hoard.grow(hold) // a server that has ended has no connections to take
				}
			}
		}
	})
	return func(context.Context) error {
		cancel()
		<-done
		return nil
	}, nil
}

// connections counts those that clients have to a server. It is cheaper than to
// try, for which the server makes a process each time.
func connections(ctx context.Context, n *postgresNode) (count int, err error) {
	err = n.get(ctx, &count, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
	return count, err
}

// hoard is connections that nobody uses.
type hoard struct {
	addr string
	held []*pgx.Conn
}

// grow connects until the server has no connection left.
func (h *hoard) grow(ctx context.Context) error {
	for {
		conn, err := connect(ctx, h.addr, "app", "", "app")
		if isFull(err) {
			return nil
		}
		if err != nil {
			return err
		}
		h.held = append(h.held, conn)
	}
}

func (h *hoard) release() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for _, conn := range h.held {
		_ = conn.Close(ctx) // it is closed on this side in any case
	}
	h.held = nil
}

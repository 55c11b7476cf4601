package backend

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
)

const (
	shards = 3
	slots  = 16384
)

// redisCluster is a Redis cluster of three primaries and their replicas. Data
// goes through the proxies, between nodes too; the bus that nodes gossip over
// does not, so that a cut of all proxies is no reason to fail over.
type redisCluster struct {
	redisServers
	ids   map[*redisNode]string
	buses map[*redisNode]int
	shard map[*redisNode]int
	absence
}

func (c *redisCluster) start(ctx context.Context, b *Backend) error {
	c.b = b
	c.ids, c.buses, c.shard = map[*redisNode]string{}, map[*redisNode]int{}, map[*redisNode]int{}
	c.absence.since = map[*redisNode]clock.Time{}
	for i := range shards * (1 + b.config.Replicas) {
		if err := c.startNode(ctx, i); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{c.meet, c.share, c.replicate} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	q := url.Values{}
	for _, n := range c.data[1:] {
		q.Add("addr", n.listen)
	}
	b.url = "redis://" + c.data[0].listen + "?" + q.Encode()
	b.watch(c.look)
	return nil
}

func (c *redisCluster) startNode(ctx context.Context, i int) error {
	name := fmt.Sprintf("node-%d", i+1)
	bus, err := port.Free()
	if err != nil {
		return err
	}
	n, err := c.addData(ctx, name, c.b.name+"-"+name, 0,
		"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-port "+strconv.Itoa(bus),
		fmt.Sprintf("cluster-node-timeout %d", c.b.config.FailoverAfter.Std().Milliseconds()))
	if err != nil {
		return err
	}
	if err := n.launch(ctx); err != nil {
		return err
	}
	// What it announces is known once it has its proxy, and it keeps it.
	announce := []string{"CONFIG", "SET", "cluster-announce-ip", "127.0.0.1", "cluster-announce-port", portOf(n.listen), "cluster-announce-bus-port", strconv.Itoa(bus)}
	if _, err := n.order(ctx, announce...); err != nil {
		return err
	}
	if _, err := n.order(ctx, "CONFIG", "REWRITE"); err != nil {
		return err
	}
	id, err := n.order(ctx, "CLUSTER", "MYID")
	if err != nil {
		return err
	}
	c.ids[n], c.buses[n], c.shard[n] = fmt.Sprint(id), bus, i%shards
	if i < shards {
		c.b.setRole(n.node, Primary)
	} else {
		c.b.setRole(n.node, Replica)
	}
	return nil
}

// meet makes the nodes known to each other. A node gives a handshake up for good
// that takes longer than its timeout, as on a disk that is slow: it is asked again
// then.
func (c *redisCluster) meet(ctx context.Context) error {
	for i, n := range c.data {
		if _, err := n.order(ctx, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	asked := clock.Time(0)
	return c.all(ctx, func(n *redisNode, info map[string]string) error {
		if info["cluster_known_nodes"] == strconv.Itoa(len(c.data)) {
			return nil
		}
		if clock.Since(asked) > grace {
			if err := c.introduce(ctx); err != nil {
				return err
			}
			asked = clock.Now()
		}
		return fmt.Errorf("%s knows %s of %d nodes", n.name, info["cluster_known_nodes"], len(c.data))
	})
}

// introduce lets the first node meet the others.
func (c *redisCluster) introduce(ctx context.Context) error {
	for _, n := range c.data[1:] {
		if _, err := c.data[0].order(ctx, "CLUSTER", "MEET", "127.0.0.1", portOf(n.listen), strconv.Itoa(c.buses[n])); err != nil {
			return err
		}
	}
	return nil
}

// share gives each primary its part of the slots.
func (c *redisCluster) share(ctx context.Context) error {
	for i, n := range c.data[:shards] {
		first, next := i*slots/shards, (i+1)*slots/shards
		if _, err := n.order(ctx, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(next-1)); err != nil {
			return err
		}
	}
	return nil
}

// replicate gives each primary its replicas and waits until all is in place.
func (c *redisCluster) replicate(ctx context.Context) error {
	for _, n := range c.data[shards:] {
		primary := c.ids[c.data[c.shard[n]]]
		if err := await(ctx, func() error { return second(n.do(ctx, "CLUSTER", "REPLICATE", primary)) }); err != nil {
			return err
		}
	}
	for _, n := range c.data[shards:] {
		if err := await(ctx, func() error { return n.linked(ctx) }); err != nil {
			return proc.WithTail(err, n.log())
		}
	}
	if err := c.all(ctx, func(n *redisNode, info map[string]string) error {
		if info["cluster_state"] != "ok" {
			return fmt.Errorf("%s says that the cluster is %s", n.name, info["cluster_state"])
		}
		return nil
	}); err != nil {
		return err
	}
	for _, n := range c.data {
		if err := await(ctx, func() error { return c.informed(ctx, n) }); err != nil {
			return proc.WithTail(err, n.log())
		}
	}
	return nil
}

func second(_ any, err error) error { return err }

// informed tells whether a node knows every other as what it is.
func (c *redisCluster) informed(ctx context.Context, n *redisNode) error {
	answer, err := n.do(ctx, "CLUSTER", "NODES")
	if err != nil {
		return err
	}
	text := fmt.Sprint(answer)
	if replicas := strings.Count(text, "slave "); replicas != len(c.data)-shards {
		return fmt.Errorf("%s knows of %s", n.name, units.CountOf(int64(replicas), "replica"))
	}
	for _, other := range c.data {
		if !strings.Contains(text, "127.0.0.1:"+portOf(other.listen)+"@") {
			return fmt.Errorf("%s does not know %s by its proxy", n.name, other.name)
		}
	}
	return nil
}

// all waits until every node's CLUSTER INFO passes.
func (c *redisCluster) all(ctx context.Context, pass func(*redisNode, map[string]string) error) error {
	for _, n := range c.data {
		err := await(ctx, func() error {
			info, err := n.fields(ctx, "CLUSTER", "INFO")
			if err != nil {
				return err
			}
			return pass(n, info)
		})
		if err != nil {
			return proc.WithTail(err, n.log())
		}
	}
	return nil
}

// look asks every node what it is.
func (c *redisCluster) look(ctx context.Context) {
	c.absence.note(ctx, c.data)
	for _, n := range c.data {
		if c.absence.since[n] != 0 {
			continue
		}
		answer, err := n.do(ctx, "ROLE")
		role, ok := answer.([]any)
		if err != nil || !ok || len(role) == 0 || role[0] != "master" || c.b.roleOf(n.node) == Primary {
			continue
		}
		old := c.primary(c.shard[n])
		c.b.setRole(old.node, Replica)
		c.b.setRole(n.node, Primary)
		c.b.observe(c.absence.change(old, n))
	}
}

func (c *redisCluster) primary(shard int) *redisNode {
	i := slices.IndexFunc(c.data, func(n *redisNode) bool { return c.shard[n] == shard && c.b.roleOf(n.node) == Primary })
	return c.data[i]
}

// promote makes the first living replica that follows its primary the primary
// of its shard. A node gives up a promotion after 5 s: it is asked again then.
func (c *redisCluster) promote(ctx context.Context) error {
	var chosen *redisNode
	asked := clock.Time(0)
	return await(ctx, func() error {
		if chosen != nil && c.b.roleOf(chosen.node) == Primary {
			return nil
		}
		if clock.Since(asked) > grace {
			for _, n := range c.data {
				if c.b.roleOf(n.node) != Replica || !n.alive() || n.linked(ctx) != nil {
					continue
				}
				if _, err := n.do(ctx, "CLUSTER", "FAILOVER"); err != nil {
					return err
				}
				chosen, asked = n, clock.Now()
				break
			}
		}
		if chosen == nil {
			return errors.New("no replica of it follows its primary")
		}
		return fmt.Errorf("%s has not become the primary", chosen.name)
	})
}

package backend

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

// failoverTimeout is when sentinels try again after a failover that did not
// work; clients and a scenario do not wait for three minutes, its default.
const failoverTimeout = 3 * time.Second

// sentinels are a primary, its replicas, and sentinels that decide who is
// primary. All reach each other through their proxies.
type sentinels struct {
	redisServers
	watchers []*redisNode
	absence
}

func (s *sentinels) start(ctx context.Context, b *Backend) error {
	s.b = b
	s.absence.since = map[*redisNode]clock.Time{}
	for i := range 1 + b.config.Replicas {
		if err := s.startData(ctx, i); err != nil {
			return err
		}
	}
	for i := range b.config.Sentinels {
		if err := s.startSentinel(ctx, i); err != nil {
			return err
		}
	}
	for _, w := range s.watchers {
		if err := await(ctx, func() error { return s.informed(ctx, w) }); err != nil {
			return proc.WithTail(err, w.log())
		}
	}
	b.url = s.url()
	b.watch(s.look)
	return nil
}

func (s *sentinels) startData(ctx context.Context, i int) error {
	name := fmt.Sprintf("node-%d", i+1)
	var config []string
	if i > 0 {
		config = append(config, "replicaof 127.0.0.1 "+portOf(s.data[0].listen))
	}
	n, err := s.addData(ctx, name, s.b.name+"-"+name, 0, config...)
	if err != nil {
		return err
	}
	if i == 0 {
		s.b.setRole(n.node, Primary)
		return n.launch(ctx)
	}
	s.b.setRole(n.node, Replica)
	if err := n.launch(ctx); err != nil {
		return err
	}
	if err := await(ctx, func() error { return n.linked(ctx) }); err != nil {
		return proc.WithTail(err, n.log())
	}
	return nil
}

func (s *sentinels) startSentinel(ctx context.Context, i int) error {
	name := fmt.Sprintf("sentinel-%d", i+1)
	w, err := s.addServer(ctx, name, s.b.name+"-"+name, 0, func(n *redisNode) []string {
		option := func(key string, value any) string { return fmt.Sprintf("sentinel %s %s %v", key, s.b.name, value) }
		return []string{
			"sentinel announce-ip 127.0.0.1", "sentinel announce-port " + portOf(n.listen),
			option("monitor", fmt.Sprintf("127.0.0.1 %s %d", portOf(s.data[0].listen), s.b.config.Sentinels/2+1)),
			option("down-after-milliseconds", s.b.config.FailoverAfter.Std().Milliseconds()),
			option("failover-timeout", failoverTimeout.Milliseconds()),
			option("parallel-syncs", mostReplicas),
		}
	})
	if err != nil {
		return err
	}
	s.b.setRole(w.node, Sentinel)
	s.watchers = append(s.watchers, w)
	w.node.command = func() (proc.Command, error) {
		return proc.Command{Path: s.program, Args: []string{w.file, "--sentinel"}}, nil
	}
	return w.launch(ctx)
}

// informed tells whether a sentinel knows of all others and all replicas: those
// that start later it would only hear of in time.
func (s *sentinels) informed(ctx context.Context, w *redisNode) error {
	list, err := w.list(ctx, "SENTINEL", "MASTER", s.b.name)
	if err != nil {
		return err
	}
	fields := pairs(list)
	want := map[string]int{"num-slaves": s.b.config.Replicas, "num-other-sentinels": s.b.config.Sentinels - 1}
	for field, n := range want {
		if fields[field] != strconv.Itoa(n) {
			return fmt.Errorf("%s sees %s of %s = %d", w.name, fields[field], field, n)
		}
	}
	if fields["flags"] != "master" {
		return fmt.Errorf("%s sees the primary as %s", w.name, fields["flags"])
	}
	return nil
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

// url is as go-redis's ParseFailoverURL reads it.
func (s *sentinels) url() string {
	q := url.Values{"master_name": {s.b.name}}
	for _, w := range s.watchers[1:] {
		q.Add("addr", w.listen)
	}
	return fmt.Sprintf(urls["redis"], s.watchers[0].listen) + "?" + q.Encode()
}

// look notes who is absent, and who most of the living sentinels say is
// primary: that is what clients are told.
func (s *sentinels) look(ctx context.Context) {
	s.absence.note(ctx, s.data)
	votes, asked := map[string]int{}, 0
	for _, w := range s.watchers {
		if !w.alive() {
			continue
		}
		asked++
		if address, err := w.list(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.b.name); err == nil && len(address) == 2 {
			votes[address[1]]++
		}
	}
	for _, n := range s.data {
		if votes[portOf(n.listen)]*2 > asked {
			s.accept(n)
		}
	}
}

// accept notes that n is the primary.
func (s *sentinels) accept(n *redisNode) {
	var old *redisNode
	for _, d := range s.data {
		if s.b.roleOf(d.node) == Primary {
			old = d
		}
	}
	if old == n {
		return
	}
	s.b.setRole(old.node, Replica)
	s.b.setRole(n.node, Primary)
	s.b.observe(s.absence.change(old, n))
}

// promote asks the sentinels to fail over although the primary lives. They
// refuse while they are at it, and while no replica is known to be good.
func (s *sentinels) promote(ctx context.Context) error {
	nodes, err := s.b.Select(Primary)
	if err != nil {
		return err
	}
	asked, refused := clock.Time(0), error(nil)
	return await(ctx, func() error {
		if now, err := s.b.Select(Primary); err == nil && now[0].Name != nodes[0].Name {
			return nil
		}
		if clock.Since(asked) > failoverTimeout {
			asked, refused = clock.Now(), s.ask(ctx)
		}
		return fmt.Errorf("the sentinels have made no other node the primary (they said: %v)", refused)
	})
}

// ask lets the first sentinel that can begin a failover.
func (s *sentinels) ask(ctx context.Context) error {
	err := errors.New("no sentinel is alive")
	for _, w := range s.watchers {
		if !w.alive() {
			continue
		}
		if _, err = w.do(ctx, "SENTINEL", "FAILOVER", s.b.name); err == nil {
			return nil
		}
	}
	return err
}

// absence remembers since when nodes do not answer.
type absence struct {
	since map[*redisNode]clock.Time // touched by the one who looks only
}

func (a *absence) note(ctx context.Context, nodes []*redisNode) {
	for _, n := range nodes {
		asked := clock.Now()
		if _, err := n.do(ctx, "PING"); err == nil {
			delete(a.since, n)
		} else if a.since[n] == 0 && ctx.Err() == nil {
			a.since[n] = asked
		}
	}
}

// change is that n took old's place.
func (a *absence) change(old, n *redisNode) Change {
	since, gone := a.since[old]
	if !gone {
		return Change{Node: n.name, Event: Promoted, What: fmt.Sprintf("%s is the primary in place of %s, which lives", n.name, old.name)}
	}
	took := clock.Since(since)
	return Change{Node: n.name, Event: FailedOn, Took: took, What: fmt.Sprintf("%s is the primary, %s after %s was gone", n.name, units.FormatDuration(took), old.name)}
}

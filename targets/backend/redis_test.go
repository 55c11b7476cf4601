package backend_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/backend"
	"github.com/redis/go-redis/v9"
)

// needRedis skips a test on a machine without Redis, and fails it in CI, which
// installs it.
func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("redis-server is not installed, although CI installs it (.ci/needs)")
	}
	t.Skip("redis-server is not installed")
}

func TestLocalRedisKeepsWhatItAnswered(t *testing.T) {
	needRedis(t)
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis"})
	if b.Mode() != "local" || !strings.HasPrefix(b.Server(), "redis-server ") || b.ProxiedReplication() {
		t.Errorf("it is %s, %s", b.Mode(), b.Server())
	}
	ctx := t.Context()
	c := redisClient(t, b.URL())
	for i := range 100 {
		if err := c.Set(ctx, fmt.Sprint(i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s.kill(b, backend.Main)
	s.awaitEvent(backend.Ended)
	if err := b.StartNode(ctx, "node-1"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.DBSize(ctx).Result(); n != 100 || err != nil {
		t.Errorf("after a kill it has %d of 100 keys, %v", n, err)
	}

	undo, err := b.Fill(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Set(ctx, "b", "1", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "OOM ") {
		t.Errorf("a full Redis wrote: %v", err)
	}
	if err := c.Get(ctx, "1").Err(); err != nil {
		t.Errorf("a full Redis does not read: %v", err)
	}
	if err := undo(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(ctx, "b", "1", 0).Err(); err != nil {
		t.Error(err)
	}
	if err := second(b.Lag(ctx)); err == nil || !strings.Contains(err.Error(), "a redis (local) has no replica") {
		t.Errorf("lagged: %v", err)
	}
}

func TestLocalRedisDoesNotStart(t *testing.T) {
	needRedis(t)
	s := newStage(t)
	config := backend.Config{Kind: "redis", Mode: "local"}
	config.SetDefaults()
	if err := os.Mkdir(s.Folder+"/dependency-a", 0o700); err != nil {
		t.Fatal(err)
	}
	b := backend.New("a", config, s.Options)
	if err := b.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "file exists") {
		t.Errorf("a folder that is there: %v", err)
	}
	opts := s.Options
	opts.Folder = s.Folder + "/a\nb" // its name breaks the configuration
	if err := os.MkdirAll(opts.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	b = backend.New("b", config, opts)
	err := b.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "start dependency b: start node-1: it ended: exit status 1; it printed last:") {
		t.Errorf("a server that ends at once: %v", err)
	}
	s.stop(b)
	t.Setenv("PATH", t.TempDir())
	if err := backend.New("c", config, s.Options).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "redis-server is not found (install the package redis-server, or take mode: embedded)") {
		t.Errorf("without the program: %v", err)
	}
	config.Mode, config.Topology = "auto", "cluster"
	if err := backend.New("d", config, s.Options).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "topology cluster needs real servers") {
		t.Errorf("without the program: %v", err)
	}
	config.Topology = "single"
	if b := s.play("e", config); b.Mode() != "embedded" {
		t.Errorf("auto without the program is %s", b.Mode())
	}
}

func TestSentinelFailover(t *testing.T) {
	needRedis(t)
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis", Topology: "sentinel"})
	o, err := redis.ParseFailoverURL(b.URL())
	if err != nil {
		t.Fatalf("%s: %v", b.URL(), err)
	}
	c := redis.NewFailoverClient(o)
	defer c.Close()
	ctx := t.Context()
	if err := c.Set(ctx, "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Wait(ctx, 2, 10*time.Second).Result(); n != 2 || err != nil {
		t.Errorf("%d replicas have it, %v", n, err)
	}
	// What clients are told are the proxies' addresses only.
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: o.SentinelAddrs[0]})
	defer sentinel.Close()
	direct := []string{}
	for _, n := range b.Nodes() {
		direct = append(direct, n.Addr)
	}
	told, err := sentinel.GetMasterAddrByName(ctx, "cache").Result()
	if err != nil || slices.Contains(direct, strings.Join(told, ":")) {
		t.Errorf("clients are told %v, %v", told, err)
	}
	replicas, err := sentinel.Replicas(ctx, "cache").Result()
	if err != nil || len(replicas) != 2 || slices.Contains(direct, "127.0.0.1:"+replicas[0]["port"]) {
		t.Errorf("replicas are %v, %v", replicas, err)
	}

	old := s.kill(b, backend.Primary)
	e := s.awaitEvent(backend.FailedOn)
	if e.Took <= 0 || e.Node == old.Name {
		t.Errorf("told %+v", e)
	}
	t.Logf("failover of Sentinel: %v", e.Took)
	s.await("writes", func() error { return c.Set(ctx, "b", "2", 0).Err() })
	if got, err := c.Get(ctx, "a").Result(); got != "1" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if err := b.StartNode(ctx, old.Name); err != nil {
		t.Fatal(err)
	}
	before := len(s.seen())
	if err := b.Promote(ctx); err != nil {
		t.Fatal(err)
	}
	last := s.seen()[before:]
	if len(last) == 0 || last[len(last)-1].Event != backend.Promoted {
		t.Errorf("told %+v", last)
	}
	if primaries, err := b.Select(backend.Primary); err != nil || len(primaries) != 1 || primaries[0].Name == e.Node {
		t.Errorf("after a promotion: %+v, %v", primaries, err)
	}
}

func TestQuorumIsNeeded(t *testing.T) {
	needRedis(t)
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis", Topology: "sentinel", Replicas: 1, Sentinels: 2})
	s.kill(b, backend.Sentinel)
	s.kill(b, backend.Primary)
	s.await("two ends", func() error {
		if len(s.seen()) < 3 {
			return errors.New("fewer were seen")
		}
		return nil
	})
	// The one that is left sees the primary down, and cannot have its way.
	sentinels, err := b.Select(backend.Sentinel)
	if err != nil || len(sentinels) != 1 {
		t.Fatalf("%+v, %v", sentinels, err)
	}
	c := redis.NewSentinelClient(&redis.Options{Addr: sentinels[0].Addr})
	defer c.Close()
	s.await("the primary to be seen down", func() error {
		m, err := c.Master(t.Context(), "cache").Result()
		if err == nil && !strings.Contains(m["flags"], "s_down") {
			err = fmt.Errorf("flags are %s", m["flags"])
		}
		return err
	})
	for _, e := range s.seen() {
		if e.Event == backend.FailedOn {
			t.Errorf("one of two sentinels failed over: %+v", e)
		}
	}
}

func TestClusterFailover(t *testing.T) {
	needRedis(t)
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis", Topology: "cluster"})
	o, err := redis.ParseClusterURL(b.URL())
	if err != nil {
		t.Fatalf("%s: %v", b.URL(), err)
	}
	o.DialerRetries, o.MaxRedirects = 1, 8 // a dead node is not dialled five times for each key
	c := redis.NewClusterClient(o)
	defer c.Close()
	ctx := t.Context()
	direct := []string{}
	for _, n := range b.Nodes() {
		direct = append(direct, n.Addr)
	}
	told, err := c.ClusterShards(ctx).Result()
	if err != nil || len(told) != 3 {
		t.Fatalf("shards are %+v, %v", told, err)
	}
	for _, shard := range told {
		for _, n := range shard.Nodes {
			if addr := fmt.Sprintf("127.0.0.1:%d", n.Port); slices.Contains(direct, addr) {
				t.Errorf("clients are told a node's own address %s", addr)
			}
		}
	}
	write := func(i int) error { return c.Set(ctx, fmt.Sprint(i), i, 0).Err() }
	for i := range 100 {
		if err := write(i); err != nil {
			t.Fatal(err)
		}
	}
	err = c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error { return m.Wait(ctx, 1, 10*time.Second).Err() })
	if err != nil {
		t.Fatal(err)
	}
	old := s.kill(b, backend.Primary)
	e := s.awaitEvent(backend.FailedOn)
	if e.Took <= 0 || e.Node == old.Name {
		t.Errorf("told %+v", e)
	}
	t.Logf("failover of the cluster: %v", e.Took)
	// A client that knows nothing of what was; one that does may go on asking the
	// dead node for a while, which is its own affair.
	s.await("all slots to be written", func() error {
		fresh := redis.NewClusterClient(o)
		defer fresh.Close()
		for i := range 100 {
			got, err := fresh.Get(ctx, fmt.Sprint(i)).Int()
			if err == nil && got != i {
				err = fmt.Errorf("read %d instead of %d", got, i)
			}
			if err == nil {
				err = fresh.Set(ctx, fmt.Sprint(i), i, 0).Err()
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := b.StartNode(ctx, old.Name); err != nil {
		t.Fatal(err)
	}
	if err := b.Promote(ctx); err != nil {
		t.Error(err)
	}
	if primaries, err := b.Select(backend.Primary); err != nil || len(primaries) != 3 {
		t.Errorf("%d primaries, %v", len(primaries), err)
	}
}

func TestPausedServerIsSelectedAndStopped(t *testing.T) {
	needRedis(t)
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis"})
	ids := b.Processes("node-1")
	if len(ids) != 1 || ids[0] != b.Nodes()[0].ID {
		t.Fatalf("its processes are %v", ids)
	}
	s.freezeMatching(b, "node-1", "")
	s.stop(b) // a frozen one ends too
}

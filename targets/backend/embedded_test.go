package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/backend"
	"github.com/redis/go-redis/v9"
)

// redisClient connects to a URL and gives up on nothing by itself.
func redisClient(t *testing.T, text string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries = -1
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestEmbeddedRedis(t *testing.T) {
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis", Mode: "embedded"})
	ctx := t.Context()
	c := redisClient(t, b.URL())
	if err := c.Set(ctx, "a", "1", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(ctx, "a").Result(); got != "1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := c.Set(ctx, "short", "1", 30*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	s.await("a key to expire", func() error {
		if n := c.Exists(ctx, "short").Val(); n != 0 {
			return errors.New("it is there")
		}
		return nil
	})
	if !strings.HasPrefix(b.Server(), "miniredis") || b.Mode() != "embedded" {
		t.Errorf("it is %q, %s", b.Server(), b.Mode())
	}

	undo, err := b.Fill(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Set(ctx, "b", "1", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "OOM ") {
		t.Errorf("a full Redis wrote: %v", err)
	}
	if err := c.Get(ctx, "a").Err(); err != nil {
		t.Errorf("a full Redis does not read: %v", err)
	}
	if err := undo(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(ctx, "b", "1", 0).Err(); err != nil {
		t.Error(err)
	}

	for _, err := range []error{b.Promote(ctx), second(b.Lag(ctx))} {
		if err == nil || !strings.Contains(err.Error(), "a redis (embedded) has no replica") {
			t.Errorf("without replicas: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestCutHitsClients(t *testing.T) {
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis", Mode: "embedded"})
	c := redisClient(t, b.URL())
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.cut("cache", true)
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("a client got through a cut proxy")
	}
	s.cut("cache", false)
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestKilledAndStartedAgain(t *testing.T) {
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis", Mode: "embedded"})
	c := redisClient(t, b.URL())
	s.kill(b, backend.Main)
	if e := s.awaitEvent(backend.Ended); e.Node != "node-1" || e.Dependency != "cache" {
		t.Errorf("told %+v", e)
	}
	if _, err := b.Select(backend.Main); err == nil || !strings.Contains(err.Error(), "no main is alive") {
		t.Errorf("a dead node was chosen: %v", err)
	}
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answers")
	}
	if err := b.StartNode(t.Context(), "node-1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	undo, err := b.StopNode(t.Context(), "node-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("a stopped server answers")
	}
	if err := undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestEmbeddedHTTP(t *testing.T) {
	s := newStage(t)
	b := s.play("pay", backend.Config{Kind: "http"})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	post := func(key string) (id int64) {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL()+"/payments", strings.NewReader(`{"amount":1}`))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Idempotency-Key", key)
		r, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var made struct{ ID int64 }
		if err := json.NewDecoder(r.Body).Decode(&made); err != nil || r.StatusCode != http.StatusCreated {
			t.Fatalf("%s, %v", r.Status, err)
		}
		return made.ID
	}
	if a, b, c, d := post("x"), post("x"), post("y"), post(""); a != 1 || b != 1 || c != 2 || d != 3 {
		t.Errorf("made %d %d %d %d", a, b, c, d)
	}
	r, err := client.Get(b.URL() + "/count")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err != nil || strings.TrimSpace(string(text)) != `{"made":3,"repeated":1}` {
		t.Errorf("counted %s, %v", text, err)
	}
	if b.Mode() != "embedded" {
		t.Errorf("auto is %s", b.Mode())
	}
	if err := second(b.Fill(t.Context())); err == nil || !strings.Contains(err.Error(), "fill dependency pay: a http (embedded) has nothing that could be full") {
		t.Errorf("filled: %v", err)
	}
}

func TestEmbeddedTCP(t *testing.T) {
	s := newStage(t)
	b := s.play("echo", backend.Config{Kind: "tcp"})
	u, err := url.Parse(b.URL())
	if err != nil || u.Scheme != "tcp" {
		t.Fatalf("%s, %v", b.URL(), err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEmbeddedDoesNotStart(t *testing.T) {
	s := newStage(t)
	opts := s.Options
	opts.Self = []string{"/no/such/program"}
	config := backend.Config{Kind: "redis", Mode: "embedded"}
	config.SetDefaults()
	if err := backend.New("a", config, opts).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "start dependency a: start node-1: start /no/such/program") {
		t.Errorf("a missing program: %v", err)
	}
	opts = s.Options
	opts.Env = append(opts.Env[:len(opts.Env):len(opts.Env)], selfVar+"=1")
	opts.Self = append(opts.Self[:1:1], "nonsense", "nonsense")
	if err := backend.New("b", config, opts).Start(t.Context()); err == nil || !strings.Contains(err.Error(), `it printed last:`) || !strings.Contains(err.Error(), "cannot be embedded") {
		t.Errorf("a program that ends at once: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := backend.New("c", config, s.Options)
	if err := b.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("no time to start: %v", err)
	}
	s.stop(b)
}

func TestExternal(t *testing.T) {
	s := newStage(t)
	real := s.play("real", backend.Config{Kind: "redis", Mode: "embedded"})
	direct := real.Nodes()[0].Addr
	b := s.play("cache", backend.Config{Kind: "redis", URL: "redis://" + direct + "/1"})
	if b.Mode() != "external" || strings.Contains(b.URL(), direct) || !strings.HasSuffix(b.URL(), "/1") {
		t.Errorf("%s, %s", b.Mode(), b.URL())
	}
	c := redisClient(t, b.URL())
	if err := c.Set(t.Context(), "a", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.cut("cache", true)
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("a client got through a cut proxy")
	}
	for _, err := range []error{
		second(b.Fill(t.Context())), b.Promote(t.Context()), second(b.Lag(t.Context())),
		second(b.StopNode(t.Context(), "cache")), second(b.Select(backend.Main)),
	} {
		if err == nil || !strings.Contains(err.Error(), "external") {
			t.Errorf("it was done to an external one: %v", err)
		}
	}
	mongo := s.play("docs", backend.Config{Kind: "mongodb", URL: "mongodb://user:secret@127.0.0.1/db"})
	if got := mongo.URL(); !strings.HasPrefix(got, "mongodb://user:secret@127.0.0.1:") || !strings.HasSuffix(got, "/db?directConnection=true") {
		t.Errorf("the URL is %s", got)
	}
	if up := mongo.Nodes()[0].Addr; up != "127.0.0.1:27017" {
		t.Errorf("it leads to %s", up)
	}
}

func TestEmbeddedPostgres(t *testing.T) {
	s := newStage(t)
	b := s.play("db", backend.Config{Kind: "postgres", Mode: "embedded", Replicas: 1})
	if b.ReplicaURL() == "" || !strings.Contains(b.Server(), "SQLite") {
		t.Errorf("it is %q, %q", b.ReplicaURL(), b.Server())
	}
	mustQuery[int64](t, b.URL(), "CREATE TABLE a (b bigint)")
	mustQuery[int64](t, b.URL(), "INSERT INTO a VALUES ($1)", 1)
	if rows := mustQuery[int64](t, b.ReplicaURL(), "SELECT b FROM a"); len(rows) != 1 {
		t.Errorf("the replica has %v", rows)
	}
	// Its reads and its writes can be cut apart.
	s.cut("db", true)
	if _, err := query[int64](t.Context(), b.URL(), "SELECT b FROM a"); err == nil {
		t.Error("a client got through a cut proxy")
	}
	mustQuery[int64](t, b.ReplicaURL(), "SELECT b FROM a")
	s.cut("db", false)
	undo, err := b.Lag(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustQuery[int64](t, b.URL(), "INSERT INTO a VALUES ($1)", 2)
	if rows := mustQuery[int64](t, b.ReplicaURL(), "SELECT b FROM a"); len(rows) != 1 {
		t.Errorf("a replica that is held back has %v", rows)
	}
	if err := undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if undo, err = b.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := query[int64](t.Context(), b.URL(), "SELECT 1"); err == nil || !strings.Contains(err.Error(), "53300") {
		t.Errorf("a full server took a connection: %v", err)
	}
	if err := undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What was written outlives the process.
	s.kill(b, backend.Primary)
	s.awaitEvent(backend.Ended)
	if err := b.StartNode(t.Context(), "node-1"); err != nil {
		t.Fatal(err)
	}
	if rows := mustQuery[int64](t, b.URL(), "SELECT b FROM a"); len(rows) != 2 {
		t.Errorf("after a kill it has %v", rows)
	}
}

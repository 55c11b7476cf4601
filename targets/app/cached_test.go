package app

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hachaos/hachaos/targets/app/apptest"
	"github.com/hachaos/hachaos/targets/page"
)

// slowDatabase counts the queries, each of which takes a second.
type slowDatabase struct{ queries atomic.Int64 }

func (d *slowDatabase) ask(ctx context.Context, key string) (string, error) {
	d.queries.Add(1)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return "value of " + key, nil
}

func newTestCache(c Cache, ask func(context.Context, string) (string, error)) *cache {
	none := newTestRemotes(nil)
	return &cache{Cache: c, local: newLocal(c.LocalTTL.Std()), redis: none.redis, ask: ask}
}

func newTestRemotes(e env) *remotes {
	return openRemotes(Config{}, func(name string) string { return e[name] }, new(page.Retries), func(string, string, ...any) {})
}

// Of many at once, with single flight one asks the database, without all do.
func TestStampede(t *testing.T) {
	const clients = 50
	for _, single := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var d slowDatabase
			c := newTestCache(Cache{SingleFlight: single}, d.ask)
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					if v, err := c.get(t.Context(), http.Header{}, "k"); err != nil || v.Value != "value of k" || v.From != "database" {
						t.Errorf("%+v, %v", v, err)
					}
				})
			}
			wg.Wait()
			want := int64(clients)
			if single {
				want = 1
			}
			if got := d.queries.Load(); got != want {
				t.Errorf("single flight %v: %d queries of %d clients", single, got, clients)
			}
		})
	}
}

// The client that came first leaves, and the others have their answer.
func TestSingleFlightOutlivesItsFirstClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d slowDatabase
		c := newTestCache(Cache{SingleFlight: true}, d.ask)
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { _, err := c.get(ctx, http.Header{}, "k"); first <- err }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
		if v, err := c.get(t.Context(), http.Header{}, "k"); err != nil || v.Value != "value of k" || d.queries.Load() != 1 {
			t.Errorf("%+v, %v, %d queries", v, err, d.queries.Load())
		}
	})
}

func TestLocalCacheKeepsForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d slowDatabase
		c := newTestCache(Cache{LocalTTL: millis(5000)}, d.ask)
		for i, step := range []struct {
			after time.Duration
			from  string
		}{{0, "database"}, {0, "local"}, {4999 * time.Millisecond, "local"}, {time.Millisecond, "database"}, {0, "local"}} {
			time.Sleep(step.after)
			if v, err := c.get(t.Context(), http.Header{}, "k"); err != nil || v.From != step.from {
				t.Errorf("number %d: %+v, %v, want %s", i, v, err, step.from)
			}
		}
	})
	l := newLocal(time.Hour)
	for i := range maxCached + 10 {
		l.put(string(rune(i)), "")
	}
	if len(l.values) != maxCached {
		t.Errorf("%d values are kept", len(l.values))
	}
}

func TestCacheOfRedis(t *testing.T) {
	server := miniredis.RunT(t)
	relay := apptest.NewRelay(t, server.Addr())
	var queries atomic.Int64
	c := newTestCache(Cache{TTL: millis(1000)}, func(_ context.Context, key string) (string, error) {
		queries.Add(1)
		return "value of " + key, nil
	})
	r := newTestRemotes(env{"REDIS_URL": "redis://" + relay.Address})
	defer r.close()
	c.redis = r.redis
	get := func(from, degradation string) {
		t.Helper()
		h := http.Header{}
		v, err := c.get(t.Context(), h, "k")
		if err != nil || v.Value != "value of k" || v.From != from || h.Get(degraded) != degradation {
			t.Errorf("%+v, %v, degraded %q", v, err, h.Get(degraded))
		}
	}
	get("database", "")
	get("redis", "")
	server.FastForward(time.Second)
	get("database", "")
	get("redis", "")
	relay.Cut() // the database is asked instead
	get("database", "cache")
	get("database", "cache")
	relay.Mend()
	apptest.Await(t, "Redis to be asked again", func() bool {
		v, err := c.get(t.Context(), http.Header{}, "k")
		return err == nil && v.From == "redis"
	})
}

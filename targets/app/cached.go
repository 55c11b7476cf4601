package app

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/hachaos/hachaos/targets/app/store"
	"golang.org/x/sync/singleflight"
)

const (
	maxCached = 10_000 // values in a process's memory
	// defaultKey is the one that everybody wants.
	defaultKey = "k0"
)

// value is what /cached answers.
type value struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"` // local, redis, database; of several at once: shared
}

// local keeps values in this process for a time.
type local struct {
	ttl time.Duration

	mu     sync.Mutex
	values map[string]kept
}

type kept struct {
	value string
	until time.Time
}

func newLocal(ttl time.Duration) *local { return &local{ttl: ttl, values: map[string]kept{}} }

func (l *local) get(key string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.values[key]
	return v.value, ok && time.Now().Before(v.until)
}

func (l *local) put(key, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.values[key]; !known && len(l.values) >= maxCached {
		for other := range l.values {
			delete(l.values, other)
			break
		}
	}
	l.values[key] = kept{text, time.Now().Add(l.ttl)}
}

// cache is the way from a key to its value: this process's memory, Redis, the
// database, each of the first two if it is configured.
type cache struct {
	Cache
	local   *local
	flights singleflight.Group
	redis   *remote[*store.Redis]
	ask     func(ctx context.Context, key string) (string, error) // the database
}

func (c *cache) get(ctx context.Context, h http.Header, key string) (value, error) {
	if c.LocalTTL > 0 {
		if text, ok := c.local.get(key); ok {
			return value{key, text, "local"}, nil
		}
	}
	if !c.SingleFlight {
		f := c.fetch(ctx, key)
		f.mark(h)
		return f.value, f.err
	}
	// What several wait for does not end with the client that came first.
	results := c.flights.DoChan(key, func() (any, error) { return c.fetch(context.WithoutCancel(ctx), key), nil })
	select {
	case r := <-results:
		f := r.Val.(fetched)
		f.mark(h)
		return f.value, f.err
	case <-ctx.Done():
		return value{}, ctx.Err()
	}
}

// fetched is what a value's way beyond this process has come to.
type fetched struct {
	value    value
	err      error
	uncached bool // Redis failed
}

// mark says in an answer's header that it cost more than it should.
func (f fetched) mark(h http.Header) {
	if f.uncached && f.err == nil {
		h.Set(degraded, "cache")
	}
}

func (c *cache) fetch(ctx context.Context, key string) (f fetched) {
	f.value.Key = key
	shared := c.TTL > 0 && c.redis.missing == nil
	if shared {
		err := c.redis.do(ctx, func(ctx context.Context, r *store.Redis) (err error) {
			f.value.Value, err = r.Get(ctx, "cached:"+key)
			return err
		})
		if err == nil {
			f.value.From = "redis"
			c.keep(key, f.value.Value)
			return f
		}
		f.uncached = !healthy(err)
	}
	if f.value.Value, f.err = c.ask(ctx, key); f.err != nil {
		return f
	}
	f.value.From = "database"
	c.keep(key, f.value.Value)
	if shared && !f.uncached {
		err := c.redis.do(ctx, func(ctx context.Context, r *store.Redis) error {
			return r.Set(ctx, "cached:"+key, f.value.Value, c.TTL.Std())
		})
		f.uncached = err != nil
	}
	return f
}

func (c *cache) keep(key, text string) {
	if c.LocalTTL > 0 {
		c.local.put(key, text)
	}
}

// cached reads a value (parameter key: k0 to k99, k0 by default) through the
// caches. X-Cache says where it came from.
func (a *App) cached(r *http.Request, h http.Header) (reply, error) {
	if err := allow(r, h, http.MethodGet, http.MethodHead); err != nil {
		return reply{}, err
	}
	key := r.URL.Query().Get("key")
	switch {
	case key == "":
		key = defaultKey
	case len(key) > 64:
		return reply{}, statusError{http.StatusBadRequest, "a key has at most 64 characters"}
	}
	v, err := recall(a, h, a.values, key, value{Key: key, From: "default"}, func() (value, error) {
		return a.cache.get(r.Context(), h, key)
	})
	if err == nil {
		h.Set("X-Cache", v.From)
	}
	return reply{value: v}, err
}

func (a *App) askDatabase(ctx context.Context, key string) (text string, err error) {
	err = a.remotes.read(ctx, http.Header{}, func(ctx context.Context, c *store.SQL) (err error) {
		text, err = c.Cached(ctx, key)
		return err
	})
	return text, err
}

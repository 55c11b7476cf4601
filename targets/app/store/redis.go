package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Redis is a client of a Redis server, of one that Sentinels watch, or of a
// cluster.
type Redis struct {
	client  redis.UniversalClient
	cluster *redis.ClusterClient // nil unless it is one
}

// quiet silences the library, which logs each failure beside returning it. The
// setting is the whole process's.
var quiet = sync.OnceFunc(logging.Disable)

// OpenRedis returns a client of the server at a redis: or rediss: URL. With the
// parameter master_name it asks the Sentinels at the URL's address and at those
// in its addr parameters (as go-redis's ParseFailoverURL reads it); with addr
// alone the address and those are nodes of a cluster (ParseClusterURL).
func OpenRedis(address string, o Options) (*Redis, error) {
	quiet()
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return nil, fmt.Errorf("its scheme is %q, want redis or rediss", u.Scheme)
	}
	switch q := u.Query(); {
	case q.Has("master_name"):
		f, err := redis.ParseFailoverURL(address)
		if err != nil {
			return nil, err
		}
		f.MaxRetries, f.DialerRetries = -1, 1
		f.ReadTimeout, f.WriteTimeout, f.DialTimeout = -1, -1, o.Timeout
		f.PoolSize, f.PoolTimeout = o.conns(), time.Hour
		f.ContextTimeoutEnabled, f.DisableIdentity = true, true
		return &Redis{client: redis.NewFailoverClient(f)}, nil
	case q.Has("addr"):
		c, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, err
		}
		c.MaxRetries, c.DialerRetries = -1, 1
		c.ReadTimeout, c.WriteTimeout, c.DialTimeout = -1, -1, o.Timeout
		c.PoolSize, c.PoolTimeout = o.conns(), time.Hour
		c.ContextTimeoutEnabled, c.DisableIdentity = true, true
		c.DisableRoutingPolicies = true
		c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		cluster := redis.NewClusterClient(c)
		cluster.OnNewNode(func(node *redis.Client) { node.AddHook(look{o.Timeout}) })
		return &Redis{client: cluster, cluster: cluster}, nil
	}
	s, err := redis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	s.MaxRetries, s.DialerRetries = -1, 1
	s.ReadTimeout, s.WriteTimeout, s.DialTimeout = -1, -1, o.Timeout
	s.PoolSize, s.PoolTimeout = o.conns(), time.Hour
	s.ContextTimeoutEnabled, s.DisableIdentity = true, true
	s.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Redis{client: redis.NewClient(s)}, nil
}

// Get returns a key's value, or [ErrNone].
func (r *Redis) Get(ctx context.Context, key string) (string, error) {
	value, err := r.do(ctx, "get", key)
	if errors.Is(err, redis.Nil) {
		return "", ErrNone
	}
	return value, err
}

// Set sets a key's value for so long, to the millisecond.
func (r *Redis) Set(ctx context.Context, key, value string, ttl time.Duration) error {
	_, err := r.do(ctx, "set", key, value, "px", max(ttl.Milliseconds(), 1))
	return err
}

// Ping asks for a sign of life.
func (r *Redis) Ping(ctx context.Context) error {
	_, err := r.do(ctx, "ping")
	return err
}

// Close ends its connections, and with them the calls under way.
func (r *Redis) Close() { _ = r.client.Close() } // nothing is lost with them

// do sends a command once. It follows a cluster's redirections, which are no
// failures.
func (r *Redis) do(ctx context.Context, args ...any) (string, error) {
	value, err := r.patiently(ctx, args)
	var said redis.Error
	if err != nil && r.cluster != nil && !errors.As(err, &said) {
		r.cluster.ReloadState(ctx) // another node may have taken over by now
	}
	return value, err
}

// patiently lets go of a command whose client has gone. The library looks only
// at a context's deadline; without one, it waits for a server that says nothing
// until the connection ends.
func (r *Redis) patiently(ctx context.Context, args []any) (string, error) {
	send := func() (string, error) {
		cmd := redis.NewStringCmd(ctx, args...)
		err := r.client.Process(ctx, once{cmd})
		return cmd.Val(), err
	}
	if _, bounded := ctx.Deadline(); bounded || ctx.Done() == nil {
		return send()
	}
	type answer struct {
		value string
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := send()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// look bounds a look at the cluster. The library takes one at a time, in the
// background, at any node: asked of one that hangs, it would keep all calls away
// from a primary that took over meanwhile.
type look struct{ timeout time.Duration }

// longestLook is how long a look may take where calls have no timeout.
const longestLook = time.Second

// ProcessHook implements redis.Hook.
func (l look) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if _, bounded := ctx.Deadline(); !bounded && cmd.Name() == "cluster" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, cmp.Or(l.timeout, longestLook))
			defer cancel()
		}
		return next(ctx, cmd)
	}
}

// DialHook implements redis.Hook.
func (look) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (look) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// once is a command that is never sent twice: a cluster's client would try one
// again after a network error, which no setting forbids.
type once struct{ *redis.StringCmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

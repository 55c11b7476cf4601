package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hachaos/hachaos/targets/app/protect"
	"github.com/hachaos/hachaos/targets/app/store"
	"github.com/hachaos/hachaos/targets/page"
	"golang.org/x/sync/errgroup"
)

const (
	// pingTimeout bounds a look at a dependency's health that no
	// dependency_timeout bounds.
	pingTimeout = time.Second
	// startPatience is how long a start waits for the tables. A worker that comes
	// back while the database is cut must come back all the same.
	startPatience = time.Second
)

// client is what every store has.
type client interface {
	Ping(ctx context.Context) error
	Close()
}

// remote is a dependency: its client and the protections before it. Both are
// missing if no URL says where it is.
type remote[C client] struct {
	*protect.Dependency
	client   C
	variable string
	missing  error
}

// do calls the dependency with protection.
func (r *remote[C]) do(ctx context.Context, call func(context.Context, C) error) error {
	if r.missing != nil {
		return r.missing
	}
	return r.Do(ctx, func(ctx context.Context) error { return call(ctx, r.client) })
}

// open tells whether there is a breaker that is open, or not closed again yet.
func (r *remote[C]) open() bool {
	if r.missing != nil {
		return false
	}
	state := r.Stats().Breaker
	return state != "" && state != "closed"
}

// component is a dependency that is there, for those who look after all alike.
type component struct {
	*protect.Dependency
	client
}

// remotes are all dependencies of an application.
type remotes struct {
	redis    *remote[*store.Redis]
	primary  *remote[*store.SQL]
	replica  *remote[*store.SQL] // nil: reads go to the primary
	docs     *remote[*store.Mongo]
	payments *remote[*store.Payments]

	present []component
	timeout time.Duration // of a look at one's health
}

// openRemotes makes the clients of those dependencies whose URLs the
// environment has. The payments API is at PAYMENTS_URL, else at PAY_URL. What is
// wrong with a URL is what its routes answer.
func openRemotes(c Config, getenv func(string) string, retries *page.Retries, tell func(source, format string, args ...any)) *remotes {
	r := &remotes{timeout: c.DependencyTimeout.Std()}
	if r.timeout == 0 {
		r.timeout = pingTimeout
	}
	o := opener{c, getenv, retries, tell, r}
	r.redis = open(o, "redis", "REDIS_URL", store.OpenRedis)
	r.primary = open(o, "database", "DATABASE_URL", store.OpenSQL)
	if getenv("DATABASE_REPLICA_URL") != "" {
		r.replica = open(o, "replica", "DATABASE_REPLICA_URL", store.OpenReplica)
	}
	r.docs = open(o, "mongodb", "MONGODB_URL", store.OpenMongo)
	variable := "PAYMENTS_URL"
	if getenv(variable) == "" && getenv("PAY_URL") != "" {
		variable = "PAY_URL"
	}
	r.payments = open(o, "payments", variable, store.OpenPayments)
	return r
}

// opener is what open needs for each dependency.
type opener struct {
	config  Config
	getenv  func(string) string
	retries *page.Retries
	tell    func(source, format string, args ...any)
	to      *remotes
}

func open[C client](o opener, name, variable string, connect func(string, store.Options) (C, error)) *remote[C] {
	r := &remote[C]{variable: variable}
	url := o.getenv(variable)
	if url == "" {
		r.missing = statusError{http.StatusServiceUnavailable, fmt.Sprintf("%s is not set: this route needs the %s", variable, inWords[name])}
		return r
	}
	options := store.Options{Timeout: o.config.DependencyTimeout.Std()}
	if o.config.Pool != nil {
		options.Conns = o.config.Pool.Max
	}
	var err error
	if r.client, err = connect(url, options); err != nil {
		r.missing = statusError{http.StatusServiceUnavailable, fmt.Sprintf("%s cannot be used: %v", variable, err)}
		return r
	}
	r.Dependency = protect.New(protect.Options{
		Name:    name,
		Timeout: o.config.DependencyTimeout.Std(),
		Pool:    o.config.Pool,
		Retry:   o.config.Retry,
		Breaker: o.config.Breaker,
		Healthy: healthy,
		Retries: o.retries,
		Tell:    func(format string, args ...any) { o.tell(name, format, args...) },
	})
	o.to.present = append(o.to.present, component{r.Dependency, r.client})
	return r
}

var inWords = map[string]string{
	"redis": "Redis server", "database": "PostgreSQL server", "mongodb": "MongoDB server", "payments": "payments API",
}

// healthy tells a sound dependency's answers from failures.
func healthy(err error) bool {
	return errors.Is(err, store.ErrNone) || errors.As(err, &store.RefusedError{})
}

// read asks the replica, if there is one: a query router. It asks the primary
// instead while the replica's breaker is open.
func (r *remotes) read(ctx context.Context, h http.Header, call func(context.Context, *store.SQL) error) error {
	if r.replica != nil {
		h.Set("X-Read-From", "replica")
		err := r.replica.do(ctx, call)
		if !errors.Is(err, protect.ErrOpen) {
			return err
		}
	}
	h.Set("X-Read-From", "primary")
	return r.primary.do(ctx, call)
}

// prepare makes the tables, if it can be done in time. Later calls make them
// otherwise.
func (r *remotes) prepare(ctx context.Context) {
	if r.primary.missing != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	_ = r.primary.client.Ensure(ctx)
}

// ping asks all dependencies at once for a sign of life, past their breakers,
// and tells how each went and how long it took.
func (r *remotes) ping(ctx context.Context, saw func(i int, took time.Duration, err error)) {
	var g errgroup.Group
	for i, c := range r.present {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, r.timeout)
			defer cancel()
			start := time.Now()
			err := c.Ping(ctx)
			saw(i, time.Since(start), err)
			return nil
		})
	}
	_ = g.Wait() // none fails
}

func (r *remotes) close() {
	for _, c := range r.present {
		c.Close()
	}
}

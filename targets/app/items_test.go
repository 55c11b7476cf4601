package app

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hachaos/hachaos/targets/app/apptest"
	"github.com/hachaos/hachaos/targets/app/protect"
	"github.com/hachaos/hachaos/targets/app/store"
	"github.com/jackc/pgx/v5"
)

func databaseURL(address, name string) string {
	return "postgres://postgres@" + address + "/" + name + "?sslmode=disable"
}

type all struct {
	Count int      `json:"count"`
	IDs   []string `json:"ids"`
}

type check struct {
	Acknowledged, Missing int
	Examples              []string
}

type ryw struct {
	ID   string
	Seen bool
}

func TestDatabase(t *testing.T) {
	server := apptest.Postgres(t)

	t.Run("items", func(t *testing.T) {
		a := newTested(t, Config{}, env{"DATABASE_URL": databaseURL(server, "postgres")})
		var ids []string
		for i := range 12 {
			item := decode[store.Item](t, a.want(fmt.Sprintf("POST /items body%d", i), 201, ""))
			if item.Body != fmt.Sprint("body", i) {
				t.Errorf("%+v", item)
			}
			ids = append(ids, item.ID)
		}
		if !slices.IsSorted(ids) {
			t.Errorf("ids do not sort by time: %v", ids)
		}
		w := a.want("GET /items", 200, "")
		if found := decode[[]store.Item](t, w); len(found) != lastItems || found[0].Body != "body11" || w.Header().Get("X-Read-From") != "primary" {
			t.Errorf("%+v, %v", found, w.Header())
		}
		if got := decode[all](t, a.want("GET /items/all", 200, "")); got.Count != 12 || !slices.Equal(got.IDs, ids) {
			t.Errorf("%+v", got)
		}
		if got := decode[store.Item](t, a.want("GET /items/"+ids[3], 200, "")); got.Body != "body3" {
			t.Errorf("%+v", got)
		}
		a.want("GET /items/none", 404, "")
		if got := decode[ryw](t, a.want("GET /items?ryw=1", 200, "")); !got.Seen || got.ID == "" {
			t.Errorf("%+v", got)
		}
		if got := decode[check](t, a.want("GET /items/check", 200, "")); got.Acknowledged != 13 || got.Missing != 0 {
			t.Errorf("%+v", got)
		}
		// A write that the database forgot, as after a failover of an asynchronous
		// replica.
		a.acknowledged.add("7-forgotten")
		if got := decode[check](t, a.want("GET /items/check", 200, "")); got.Acknowledged != 14 || got.Missing != 1 || got.Examples[0] != "7-forgotten" {
			t.Errorf("%+v", got)
		}
		a.end()
		a.awaitEvents("database: 1 of the 14 writes that worker 1 acknowledged are lost")
	})

	t.Run("users and cached", func(t *testing.T) {
		a := newTested(t, Config{Cache: &Cache{LocalTTL: millis(60000)}}, env{"DATABASE_URL": databaseURL(server, "postgres")})
		type users struct {
			Users int64
			From  string
		}
		if got := decode[users](t, a.want("GET /users", 200, "")); got != (users{100, "database"}) {
			t.Errorf("%+v", got)
		}
		a.want("POST /users?user=somebody", 201, "")
		if n, err := a.CountUsers(t.Context()); n != 101 || err != nil {
			t.Errorf("%d users, %v", n, err)
		}
		a.SetUsers(7)
		if got := decode[users](t, a.want("GET /users", 200, "")); got != (users{7, "broadcast"}) {
			t.Errorf("%+v", got)
		}
		for _, from := range []string{"database", "local"} {
			w := a.want("GET /cached", 200, "")
			if got := decode[value](t, w); got != (value{"k0", "value of k0", from}) || w.Header().Get("X-Cache") != from {
				t.Errorf("%+v, %v", got, w.Header())
			}
		}
		a.want("GET /cached?key=none", 404, "")
	})

	// The replica here is a database of its own, which nothing is replicated to:
	// one with an endless lag.
	t.Run("replica", func(t *testing.T) {
		relay := apptest.NewRelay(t, server)
		lagging := newTested(t, Config{}, env{"DATABASE_URL": databaseURL(server, "template1")})
		lagging.want("GET /users", 200, "")
		lagging.end()
		a := newTested(t, Config{Breaker: soon()}, env{
			"DATABASE_URL": databaseURL(server, "postgres"), "DATABASE_REPLICA_URL": databaseURL(relay.Address, "template1"),
		})
		a.want("POST /items x", 201, "")
		w := a.want("GET /items", 200, "")
		if found := decode[[]store.Item](t, w); len(found) != 0 || w.Header().Get("X-Read-From") != "replica" {
			t.Errorf("read from the replica was %v, %v", found, w.Header())
		}
		if got := decode[ryw](t, a.want("POST /items?ryw=1", 200, "")); got.Seen {
			t.Error("a replica that lags shows a write")
		}
		if got := decode[all](t, a.want("GET /items/all?from=replica", 200, "")); got.Count != 0 || got.IDs == nil {
			t.Errorf("%+v", got)
		}
		if got := decode[check](t, a.want("GET /items/check", 200, "")); got.Missing != 0 || got.Acknowledged != 2 {
			t.Errorf("%+v", got)
		}
		relay.Cut()
		apptest.Await(t, "the router to read from the primary", func() bool {
			w := a.ask("GET /items")
			return w.Code == 200 && w.Header().Get("X-Read-From") == "primary"
		})
		relay.Mend()
		apptest.Await(t, "the router to read from the replica again", func() bool {
			w := a.ask("GET /items")
			return w.Code == 200 && w.Header().Get("X-Read-From") == "replica"
		})
	})

	// The pool bounds the connections, and without one there is one for each
	// request. Nobody may write while a table is locked.
	t.Run("pool", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), apptest.Patience)
		defer cancel()
		lock, err := pgx.Connect(ctx, databaseURL(server, "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close(context.Background())
		for _, bound := range []int{0, 2} {
			relay := apptest.NewRelay(t, server)
			c := Config{}
			if bound > 0 {
				c.Pool = &protect.Pool{Max: bound, Wait: millis(1)}
			}
			a := newTested(t, c, env{"DATABASE_URL": databaseURL(relay.Address, "postgres")})
			tx, err := lock.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(ctx, "LOCK TABLE items IN EXCLUSIVE MODE"); err != nil {
				t.Fatal(err)
			}
			const clients = 10
			var written, refused atomic.Int64
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					switch w := a.ask("POST /items x"); w.Code {
					case 201:
						written.Add(1)
					case 503:
						refused.Add(1)
					default:
						t.Errorf("%d %s", w.Code, w.Body)
					}
				})
			}
			want := int64(clients)
			if bound > 0 {
				want = int64(bound)
				apptest.Await(t, "the others to be refused", func() bool { return refused.Load() == clients-want })
			}
			apptest.Await(t, "the connections", func() bool { return relay.Taken() == want })
			if err := tx.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			if written.Load() != want || relay.Taken() != want {
				t.Errorf("bound %d: %d written over %d connections", bound, written.Load(), relay.Taken())
			}
		}
	})

	t.Run("a cut", func(t *testing.T) {
		relay := apptest.NewRelay(t, server)
		relay.Cut()
		// A worker starts while the database is cut, and serves.
		a := newTested(t, Config{Fallback: "stale"}, env{"DATABASE_URL": databaseURL(relay.Address, "postgres")})
		a.want("GET /items", 502, "")
		a.want("GET /live", 200, "")
		relay.Mend()
		a.awaitStatus("POST /items x", 201)
		a.want("GET /items", 200, "")
		relay.Cut()
		a.want("GET /items", 200, "stale")
		a.want("POST /items x", 502, "")
		a.end()
		a.awaitEvents("database: worker 1 cannot tell whether its 1 acknowledged writes are there: ")
	})
}

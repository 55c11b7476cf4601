package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SQL is a client of a PostgreSQL server.
type SQL struct {
	pool   *pgxpool.Pool
	tables atomic.Bool // they are there
}

// Item is a row of the items.
type Item struct {
	ID   string `json:"id"`
	Body string `json:"body"`
}

// OpenSQL returns a client of the server at a postgres: or postgresql: URL. It
// makes the tables before its first call, if [SQL.Ensure] has not.
func OpenSQL(address string, o Options) (*SQL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("its scheme is %q, want postgres or postgresql", u.Scheme)
	}
	c, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	c.MaxConns, c.MinConns, c.MinIdleConns = int32(o.conns()), 0, 0
	// One round trip a query, and nothing that a server which was failed over to
	// does not know.
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	if o.Timeout > 0 {
		c.ConnConfig.ConnectTimeout = o.Timeout
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	if err != nil {
		return nil, err
	}
	return &SQL{pool: pool}, nil
}

// OpenReplica returns a client like [OpenSQL], which does not try to make tables.
func OpenReplica(address string, o Options) (*SQL, error) {
	s, err := OpenSQL(address, o)
	if err == nil {
		s.tables.Store(true)
	}
	return s, err
}

// Close ends its connections, once the calls under way have ended.
func (s *SQL) Close() { s.pool.Close() }

// Ping asks for a sign of life.
func (s *SQL) Ping(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "SELECT 1")
	return err
}

// atFirst is how many users and cached values there are at first.
const atFirst = 100

// schema makes the tables and what is in them at first, as often as it is
// played. PostgreSQL and SQLite both know all of it.
func schema() []string {
	users, cached := make([]string, atFirst), make([]string, atFirst)
	for i := range atFirst {
		users[i] = fmt.Sprintf("('u%d')", i)
		cached[i] = fmt.Sprintf("('k%d', 'value of k%d')", i, i)
	}
	return []string{
		"CREATE TABLE IF NOT EXISTS items (id text PRIMARY KEY, body text NOT NULL)",
		"CREATE TABLE IF NOT EXISTS users (name text PRIMARY KEY)",
		"CREATE TABLE IF NOT EXISTS cached (key text PRIMARY KEY, value text NOT NULL)",
		"INSERT INTO users (name) VALUES " + strings.Join(users, ", ") + " ON CONFLICT (name) DO NOTHING",
		"INSERT INTO cached (key, value) VALUES " + strings.Join(cached, ", ") + " ON CONFLICT (key) DO NOTHING",
	}
}

// Ensure makes the tables if this client has not yet. Several processes may do
// so at once.
func (s *SQL) Ensure(ctx context.Context) error {
	if s.tables.Load() {
		return nil
	}
	for _, statement := range schema() {
		for tries := 1; ; tries++ {
			_, err := s.pool.Exec(ctx, statement)
			if err == nil {
				break
			}
			// Of two that create a table at the same moment one fails, IF NOT EXISTS or
			// not, and finds the table when it looks again.
			if tries == 5 || !createdMeanwhile(err) {
				return fmt.Errorf("make the tables: %w", err)
			}
		}
	}
	s.tables.Store(true)
	return nil
}

// createdMeanwhile recognizes unique_violation, duplicate_table,
// duplicate_object and "tuple concurrently updated" (PostgreSQL's appendix A).
func createdMeanwhile(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "23505", "42P07", "42710", "XX000":
		return true
	}
	return false
}

// AddItem writes an item, once however often it is called with the same id. It
// is durable, as far as the server's settings say, when it returns nil.
func (s *SQL) AddItem(ctx context.Context, item Item) error {
	return s.exec(ctx, "INSERT INTO items (id, body) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", item.ID, item.Body)
}

// Item reads an item, or returns [ErrNone].
func (s *SQL) Item(ctx context.Context, id string) (Item, error) {
	item := Item{ID: id}
	err := s.one(ctx, &item.Body, "SELECT body FROM items WHERE id = $1", id)
	return item, err
}

// LastItems reads the items with the n highest ids, the highest first.
func (s *SQL) LastItems(ctx context.Context, n int) ([]Item, error) {
	found := []Item{}
	var item Item
	err := s.each(ctx, []any{&item.ID, &item.Body}, func() { found = append(found, item) },
		"SELECT id, body FROM items ORDER BY id DESC LIMIT "+strconv.Itoa(n))
	return found, err
}

// ItemIDs calls use for the ids of all items from first on, in order.
func (s *SQL) ItemIDs(ctx context.Context, first string, use func(id string)) error {
	var id string
	return s.each(ctx, []any{&id}, func() { use(id) }, "SELECT id FROM items WHERE id >= $1 ORDER BY id", first)
}

// Cached reads what /cached caches, or returns [ErrNone].
func (s *SQL) Cached(ctx context.Context, key string) (string, error) {
	var value string
	err := s.one(ctx, &value, "SELECT value FROM cached WHERE key = $1", key)
	return value, err
}

// Users counts the users.
func (s *SQL) Users(ctx context.Context) (int64, error) {
	var n int64
	err := s.one(ctx, &n, "SELECT count(*) FROM users")
	return n, err
}

// AddUser adds a user, unless there is one of that name.
func (s *SQL) AddUser(ctx context.Context, name string) error {
	return s.exec(ctx, "INSERT INTO users (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", name)
}

func (s *SQL) exec(ctx context.Context, statement string, args ...any) error {
	if err := s.Ensure(ctx); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, statement, args...)
	return err
}

func (s *SQL) one(ctx context.Context, to any, query string, args ...any) error {
	if err := s.Ensure(ctx); err != nil {
		return err
	}
	err := s.pool.QueryRow(ctx, query, args...).Scan(to)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNone
	}
	return err
}

// each calls use for each row, which is in to by then.
func (s *SQL) each(ctx context.Context, to []any, use func(), query string, args ...any) error {
	if err := s.Ensure(ctx); err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, to, func() error { use(); return nil })
	return err
}

package pgsqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/backend/pgsqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open serves a database of a test's own.
func open(t *testing.T) (s *pgsqlite.Server, primary, replica string) {
	t.Helper()
	var listeners [2]net.Listener
	for i := range listeners {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = ln
	}
	s, err := pgsqlite.Open(t.TempDir(), listeners[0], listeners[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	url := func(ln net.Listener) string { return "postgres://app@" + ln.Addr().String() + "/app?sslmode=disable" }
	return s, url(listeners[0]), url(listeners[1])
}

func connect(t *testing.T, url string, mode pgx.QueryExecMode) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = mode
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

const schema = `CREATE TABLE IF NOT EXISTS items (
	id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, n int NOT NULL DEFAULT 0, ok boolean NOT NULL DEFAULT false,
	data bytea, price double precision, made timestamptz NOT NULL DEFAULT now())`

func TestOrdinaryThings(t *testing.T) {
	for name, mode := range map[string]pgx.QueryExecMode{
		"cached": pgx.QueryExecModeCacheStatement, "described": pgx.QueryExecModeDescribeExec, "exec": pgx.QueryExecModeExec, "simple": pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(name, func(t *testing.T) {
			_, primary, replica := open(t)
			ctx := t.Context()
			c := connect(t, primary, mode)
			for range 2 {
				if tag, err := c.Exec(ctx, schema); err != nil || tag.String() != "CREATE TABLE" {
					t.Fatal(tag, err)
				}
			}
			at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
			var id int64
			err := c.QueryRow(ctx, "INSERT INTO items (name, n, ok, data, price, made) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
				"it's; \"one\" -- $9", 7, true, []byte{0, 1, 255}, 2.5, at).Scan(&id)
			if err != nil || id != 1 {
				t.Fatal(id, err)
			}
			var (
				text  string
				n     int
				ok    bool
				data  []byte
				price float64
				made  time.Time
			)
			err = c.QueryRow(ctx, "SELECT name, n, ok, data, price, made FROM items WHERE id = $1", id).Scan(&text, &n, &ok, &data, &price, &made)
			if err != nil || text != "it's; \"one\" -- $9" || n != 7 || !ok || string(data) != "\x00\x01\xff" || price != 2.5 || !made.Equal(at) {
				t.Errorf("read %q %d %v %x %v %v, %v", text, n, ok, data, price, made, err)
			}
			err = c.QueryRow(ctx, "INSERT INTO items (name, n) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET n = items.n + excluded.n RETURNING n, made", text, 3).Scan(&n, &made)
			if err != nil || n != 10 {
				t.Errorf("upsert: %d, %v", n, err)
			}
			if _, err := c.Exec(ctx, "INSERT INTO items (name) VALUES ($1)", text); code(err) != "23505" {
				t.Errorf("a duplicate: %v", err)
			}
			if _, err := c.Exec(ctx, "INSERT INTO items (name) VALUES ($1) ON CONFLICT DO NOTHING", text); err != nil {
				t.Error(err)
			}
			if tag, err := c.Exec(ctx, "UPDATE items SET n = $1, data = NULL WHERE name = $2", 1, text); err != nil || tag.RowsAffected() != 1 {
				t.Error(tag, err)
			}
			if err := c.QueryRow(ctx, "SELECT data FROM items").Scan(&data); err != nil || data != nil {
				t.Errorf("NULL is %v, %v", data, err)
			}
			var count, one int64
			if err := c.QueryRow(ctx, "SELECT count(*), coalesce(max(id), 0)::bigint FROM items WHERE made < now() AND n >= $1 LIMIT $2", 1, 5).Scan(&count, &one); err != nil || count != 1 || one != 1 {
				t.Error(count, one, err)
			}
			for url, want := range map[string]bool{primary: false, replica: true} {
				var recovering, there bool
				if err := connect(t, url, mode).QueryRow(ctx, "SELECT pg_is_in_recovery(), exists (SELECT 1 FROM items)").Scan(&recovering, &there); err != nil || recovering != want || !there {
					t.Errorf("in recovery: %v, there: %v, %v", recovering, there, err)
				}
			}
			if _, err := connect(t, replica, mode).Exec(ctx, "DELETE FROM items"); code(err) != "25006" {
				t.Errorf("a replica wrote: %v", err)
			}
			if err := c.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil || one != 1 {
				t.Error(one, err)
			}
			for text, want := range map[string]string{"SELEC 1": "42601", "SELECT a FROM nowhere": "42P01", "SELECT absent FROM items": "42703"} {
				if _, err := c.Exec(ctx, text); code(err) != want {
					t.Errorf("%s: %v", text, err)
				}
			}
			if err := c.Ping(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsNotSupportedIsSaid(t *testing.T) {
	for name, mode := range map[string]pgx.QueryExecMode{"exec": pgx.QueryExecModeExec, "simple": pgx.QueryExecModeSimpleProtocol} {
		_, primary, _ := open(t)
		ctx := t.Context()
		c := connect(t, primary, mode)
		if _, err := c.Exec(ctx, schema); err != nil {
			t.Fatal(err)
		}
		for statement, want := range map[string]string{
			"COPY items TO STDOUT":                        "COPY is not supported",
			"copy items from stdin":                       "COPY is not supported",
			"SELECT name FROM items WHERE id = ANY($1)":   "arrays are not supported",
			"SELECT ARRAY[1, 2]":                          "arrays are not supported",
			"CREATE TABLE a (tags text[])":                "arrays are not supported",
			"SELECT array_agg(id) FROM items":             "arrays are not supported",
			"SELECT relname FROM pg_catalog.pg_class":     "the system's catalogs (\\d in psql) are not supported",
			"SELECT table_name FROM INFORMATION_SCHEMA.x": "the system's catalogs",
			"CREATE TYPE mood AS ENUM ('sad')":            "only tables, views, indexes and triggers can be created",
			"CREATE OR REPLACE FUNCTION f() RETURNS int":  "only tables",
			"DECLARE c CURSOR FOR SELECT 1":               "cursors are not supported",
			"NOTIFY a":                                    "this statement is not supported",
		} {
			var args []any
			if strings.Contains(statement, "$1") {
				args = []any{[]int64{1}}
			}
			if _, err := c.Exec(ctx, statement, args...); code(err) != "0A000" || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "mode: local") {
				t.Errorf("%s: %s: %v", name, statement, err)
			}
		}
		for _, statement := range []string{"SELEC 1", "SELECT generate_series(1, 3)"} {
			if _, err := c.Exec(ctx, statement); err == nil || !strings.Contains(err.Error(), "is SQLite behind PostgreSQL's protocol") {
				t.Errorf("%s: %s: %v", name, statement, err)
			}
		}
		// What only looks like it passes.
		for _, statement := range []string{"SELECT 'copy ANY(x) ARRAY[1] pg_class'", `SELECT 1 AS "any (pg_type)"`, "SELECT many FROM (SELECT 1 AS many)"} {
			if _, err := c.Exec(ctx, statement); err != nil {
				t.Errorf("%s: %s: %v", name, statement, err)
			}
		}
	}
}

func TestTransactions(t *testing.T) {
	_, primary, _ := open(t)
	ctx := t.Context()
	c, other := connect(t, primary, pgx.QueryExecModeCacheStatement), connect(t, primary, pgx.QueryExecModeCacheStatement)
	if _, err := c.Exec(ctx, "CREATE TABLE a (b bigint PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	count := func(c *pgx.Conn) (n int) {
		if err := c.QueryRow(ctx, "SELECT count(*) FROM a").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO a VALUES ($1)", 1); err != nil {
		t.Fatal(err)
	}
	if in, out := count(c), count(other); in != 1 || out != 0 {
		t.Errorf("%d inside, %d outside", in, out)
	}
	if status := c.PgConn().TxStatus(); status != 'T' {
		t.Errorf("status %c", status)
	}
	if err := tx.Rollback(ctx); err != nil || count(c) != 0 {
		t.Error(err)
	}
	if tx, err = c.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO a VALUES ($1)", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO a VALUES ($1)", 2); code(err) != "23505" {
		t.Error(err)
	}
	if _, err := tx.Exec(ctx, "SELECT 1"); code(err) != "25P02" {
		t.Errorf("a failed transaction went on: %v", err)
	}
	if err := tx.Commit(ctx); !errors.Is(err, pgx.ErrTxCommitRollback) || count(other) != 0 {
		t.Errorf("a failed transaction was committed: %v", err)
	}
	// One that leaves in the middle leaves nothing, and no lock.
	if tx, err = c.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO a VALUES ($1)", 3); err != nil {
		t.Fatal(err)
	}
	c.Close(ctx)
	if _, err := other.Exec(ctx, "INSERT INTO a VALUES ($1)", 4); err != nil || count(other) != 1 {
		t.Error(count(other), err)
	}
	// Several at once: all of them, or none.
	if _, err := other.PgConn().Exec(ctx, "INSERT INTO a VALUES (5); INSERT INTO a VALUES (5)").ReadAll(); code(err) != "23505" || count(other) != 1 {
		t.Errorf("%d, %v", count(other), err)
	}
	if r, err := other.PgConn().Exec(ctx, "CREATE TABLE c (d text); INSERT INTO c VALUES ('x;y'); SELECT d FROM c;").ReadAll(); err != nil || len(r) != 3 || string(r[2].Rows[0][0]) != "x;y" {
		t.Error(r, err)
	}
}

func TestStandardLibrary(t *testing.T) {
	_, primary, _ := open(t)
	config, err := pgx.ParseConfig(primary)
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	if _, err := db.Exec(schema); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := tx.Exec("INSERT INTO items (name, data) VALUES ($1, $2)", name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query("SELECT name, made FROM items WHERE name <> $1 ORDER BY id", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		var made time.Time
		if err := rows.Scan(&name, &made); err != nil || time.Since(made) > time.Hour {
			t.Fatal(made, err)
		}
		names = append(names, name)
	}
	if strings.Join(names, "") != "b" || rows.Err() != nil {
		t.Error(names, rows.Err())
	}
	if err := db.QueryRow("SELECT id FROM items WHERE name = $1", "none").Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
		t.Error(err)
	}
}

func TestFillAndLag(t *testing.T) {
	s, primary, replica := open(t)
	ctx := t.Context()
	c, r := connect(t, primary, pgx.QueryExecModeCacheStatement), connect(t, replica, pgx.QueryExecModeCacheStatement)
	if _, err := c.Exec(ctx, "CREATE TABLE a (b bigint)"); err != nil {
		t.Fatal(err)
	}
	insert := func() {
		if _, err := c.Exec(ctx, "INSERT INTO a VALUES (1)"); err != nil {
			t.Fatal(err)
		}
	}
	count := func() (n int) {
		if err := r.QueryRow(ctx, "SELECT count(*) FROM a").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	insert()
	if n := count(); n != 1 {
		t.Errorf("the replica has %d rows", n)
	}
	if err := s.Lag(true); err != nil {
		t.Fatal(err)
	}
	insert()
	if n := count(); n != 1 {
		t.Errorf("a replica that is held back has %d rows", n)
	}
	if err := s.Lag(false); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 2 {
		t.Errorf("the replica has %d rows", n)
	}
	s.Fill(true)
	if _, err := pgx.Connect(ctx, primary); code(err) != "53300" {
		t.Errorf("a full server: %v", err)
	}
	insert() // a client that is in stays in
	s.Fill(false)
	connect(t, primary, pgx.QueryExecModeCacheStatement)
}

package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sqlConn asks one PostgreSQL as its superuser, over its own address. It is safe
// for use by several goroutines.
type sqlConn struct {
	server   string // host:port
	password string

	mu   sync.Mutex
	conn *pgx.Conn
}

// get reads the one value that a query returns.
func (s *sqlConn) get(ctx context.Context, value any, query string) error {
	return s.use(ctx, func(c *pgx.Conn) error { return c.QueryRow(ctx, query).Scan(value) })
}

// exec runs statements.
func (s *sqlConn) exec(ctx context.Context, statements string) error {
	return s.use(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, statements)
		return err
	})
}

// set changes a setting for good.
func (s *sqlConn) set(ctx context.Context, name, value string) error {
	if err := s.exec(ctx, "ALTER SYSTEM SET "+name+" = '"+strings.ReplaceAll(value, "'", "''")+"'"); err != nil {
		return err
	}
	return s.exec(ctx, "SELECT pg_reload_conf()")
}

// ready tells whether the server takes connections.
func (s *sqlConn) ready(ctx context.Context) error { return s.exec(ctx, "SELECT 1") }

// use connects if need be. A connection that failed is not used again.
func (s *sqlConn) use(ctx context.Context, f func(*pgx.Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		conn, err := connect(ctx, s.server, "postgres", s.password, "postgres")
		if err != nil {
			return err
		}
		s.conn = conn
	}
	err := f(s.conn)
	if s.conn.IsClosed() {
		s.conn = nil
	}
	return err
}

func (s *sqlConn) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.conn.Close(ctx) // its server has ended
		s.conn = nil
	}
}

func connect(ctx context.Context, addr, user, password, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", user, addr, database))
	if err != nil {
		return nil, err
	}
	config.Password = password
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return pgx.ConnectConfig(ctx, config)
}

// isFull tells whether a server refused a connection because it has as many as
// it takes (SQLSTATE 53300).
func isFull(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "53300"
}

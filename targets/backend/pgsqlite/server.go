// Package pgsqlite speaks PostgreSQL's wire protocol over SQLite, so that a
// machine without PostgreSQL can play scenarios with one.
//
// It takes what an ordinary application says: tables, indexes, INSERT with ON
// CONFLICT and RETURNING, parameters, transactions, and the types integer,
// text, timestamptz, bytea, boolean, double precision and json. It is no
// PostgreSQL: there is one writer at a time, and what SQLite cannot do is an
// error that says so (unsupported.go). A second, read-only address plays the replica. Start reading at
// [Open]; a statement's way is session.go, what is translated is translate.go.
package pgsqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	wire "github.com/jeroenrinzema/psql-wire"
	"github.com/jeroenrinzema/psql-wire/codes"
	psqlerr "github.com/jeroenrinzema/psql-wire/errors"
	"github.com/jeroenrinzema/psql-wire/pkg/buffer"
	"github.com/jeroenrinzema/psql-wire/pkg/types"
	_ "modernc.org/sqlite" // the driver
)

// maxConnections is how many clients one address takes, as PostgreSQL's own.
const maxConnections = 100

// Server is one database with its listeners.
type Server struct {
	sides []*side
	wg    sync.WaitGroup
}

// side is one address of the database.
type side struct {
	db       *sql.DB
	readOnly bool
	wire     *wire.Server
	clients  atomic.Int64
	full     atomic.Bool

	mu   sync.Mutex
	held *sql.Conn // what everybody reads from while it is held back
}

// Open serves the database in a folder, which is made if there is none: on
// primary for reading and writing, and on replica, if that is not nil, for
// reading. It takes the listeners over.
func Open(folder string, primary, replica net.Listener) (*Server, error) {
	s := &Server{}
	for i, ln := range []net.Listener{primary, replica} {
		if ln == nil {
			continue
		}
		if err := s.serve(folder, ln, i == 1); err != nil {
			ln.Close()
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Server) serve(folder string, ln net.Listener, readOnly bool) error {
	d := &side{readOnly: readOnly}
	// Nothing is synced: the process may be killed, the system is not.
	name := "file:" + filepath.ToSlash(filepath.Join(folder, "embedded.db")) + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(0)&_pragma=foreign_keys(1)"
	if readOnly {
		name += "&_pragma=query_only(1)"
	}
	var err error
	if d.db, err = sql.Open("sqlite", name); err != nil {
		return err
	}
	s.sides = append(s.sides, d)
	if err := d.db.Ping(); err != nil {
		return fmt.Errorf("open %s: %w", folder, err)
	}
	d.wire, err = wire.NewServer(d.parse,
		wire.Version("15.0"),
		wire.GlobalParameters(wire.Parameters{"standard_conforming_strings": "on", "DateStyle": "ISO, MDY", "TimeZone": "UTC", "integer_datetimes": "on"}),
		wire.SessionAuthStrategy(d.admit),
		wire.SessionMiddleware(d.begin),
		wire.CloseConn(d.end),
		wire.TxStatus(txStatus),
		wire.Logger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return err
	}
	s.wg.Go(func() { _ = d.wire.Serve(ln) }) // it ends when it is closed
	return nil
}

// Fill refuses new connections, as a PostgreSQL that has as many as it takes,
// or takes them again.
func (s *Server) Fill(on bool) {
	for _, d := range s.sides {
		d.full.Store(on)
	}
}

// Lag lets the replica answer from what it has now, or follow again.
func (s *Server) Lag(on bool) error {
	for _, d := range s.sides {
		if d.readOnly {
			return d.hold(on)
		}
	}
	return errors.New("there is no replica")
}

// Close ends both listeners.
func (s *Server) Close() error {
	var failed []error
	for _, d := range s.sides {
		if d.wire != nil {
			failed = append(failed, d.wire.Close())
		}
	}
	s.wg.Wait()
	for _, d := range s.sides {
		if d.hold(false) == nil {
			failed = append(failed, d.db.Close())
		}
	}
	return errors.Join(failed...)
}

// hold keeps a transaction open, which goes on seeing what was there when it
// began.
func (d *side) hold(on bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if on == (d.held != nil) {
		return nil
	}
	if !on {
		_, err := d.held.ExecContext(context.Background(), "ROLLBACK")
		err = errors.Join(err, d.held.Close())
		d.held = nil
		return err
	}
	conn, err := d.db.Conn(context.Background())
	if err != nil {
		return err
	}
	for _, statement := range []string{"BEGIN", "SELECT count(*) FROM sqlite_master"} {
		if _, err := conn.ExecContext(context.Background(), statement); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
	d.held = conn
	return nil
}

// admit lets everybody in without a password while there is room.
func (d *side) admit(ctx context.Context, w *buffer.Writer, _ *buffer.Reader) (context.Context, error) {
	if d.full.Load() || d.clients.Load() >= maxConnections {
		err := psqlerr.WithSeverity(psqlerr.WithCode(errors.New("sorry, too many clients already"), codes.TooManyConnections), psqlerr.LevelFatal)
		return ctx, errors.Join(err, wire.WriteUnterminatedError(w, err))
	}
	w.Start(types.ServerAuth)
	w.AddInt32(0) // let in
	return ctx, w.End()
}

type sessionKey struct{}

func (d *side) begin(ctx context.Context) (context.Context, error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return ctx, err
	}
	d.clients.Add(1)
	return context.WithValue(ctx, sessionKey{}, &session{side: d, conn: conn}), nil
}

func (d *side) end(ctx context.Context) error {
	d.clients.Add(-1)
	s := ctx.Value(sessionKey{}).(*session)
	if s.open {
		clean, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = s.conn.ExecContext(clean, "ROLLBACK") // it may have ended by itself
	}
	return s.conn.Close()
}

func txStatus(ctx context.Context) types.ServerStatus {
	s, ok := ctx.Value(sessionKey{}).(*session)
	switch {
	case !ok || !s.open:
		return types.ServerIdle
	case s.failed:
		return types.ServerTransactionFailed
	}
	return types.ServerTransactionBlock
}

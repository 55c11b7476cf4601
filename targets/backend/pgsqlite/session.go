package pgsqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	wire "github.com/jeroenrinzema/psql-wire"
	"github.com/jeroenrinzema/psql-wire/codes"
	psqlerr "github.com/jeroenrinzema/psql-wire/errors"
)

// session is one client's connection, with one of SQLite behind it.
type session struct {
	*side
	conn   *sql.Conn
	open   bool // in a transaction
	failed bool // which has failed: only its end is taken
}

// result is what a statement answered.
type result struct {
	columns wire.Columns
	rows    [][]any
	tag     string
}

// parse prepares what a client sent. What comes by the simple protocol is run
// at once: a later statement's columns may depend on an earlier one's work.
func (d *side) parse(ctx context.Context, q wire.Query) (wire.PreparedStatements, error) {
	s := ctx.Value(sessionKey{}).(*session)
	statements := split(q.Query)
	if len(statements) == 0 {
		return wire.Prepared(wire.NewStatement(func(_ context.Context, w wire.DataWriter, _ []wire.Parameter) error { return w.Empty() })), nil
	}
	if q.SimpleQuery {
		return s.runAll(ctx, statements)
	}
	if len(statements) > 1 {
		return nil, coded(errors.New("cannot insert multiple commands into a prepared statement"), codes.Syntax)
	}
	t := translate(statements[0], d.readOnly)
	if err := t.refuse(); err != nil {
		return nil, s.fail(err)
	}
	columns, err := s.describe(ctx, t)
	if err != nil {
		return nil, s.fail(err)
	}
	parameters := s.parameters(ctx, t, q.ParameterOIDs)
	run := func(ctx context.Context, w wire.DataWriter, given []wire.Parameter) error {
		values, err := decode(given, parameters)
		if err != nil {
			return s.fail(err)
		}
		r, err := s.run(ctx, t, columns, values)
		if err != nil {
			return err
		}
		return r.write(w)
	}
	return wire.Prepared(wire.NewStatement(run, wire.WithColumns(columns), wire.WithParameters(parameters))), nil
}

// runAll runs the statements of a simple query, all of them or none if there
// are several that begin no transaction of their own.
func (s *session) runAll(ctx context.Context, statements []string) (wire.PreparedStatements, error) {
	together := len(statements) > 1 && !s.open
	for _, text := range statements {
		if isControl(translate(text, s.readOnly).verb) {
			together = false
		}
	}
	if together {
		if _, err := s.run(ctx, translate("BEGIN", s.readOnly), nil, nil); err != nil {
			return nil, err
		}
	}
	var prepared wire.PreparedStatements
	for _, text := range statements {
		r, err := s.run(ctx, translate(text, s.readOnly), nil, nil)
		if err != nil {
			if together {
				_, _ = s.run(ctx, translate("ROLLBACK", s.readOnly), nil, nil) // err is what matters
			}
			return nil, err
		}
		prepared = append(prepared, wire.NewStatement(func(_ context.Context, w wire.DataWriter, _ []wire.Parameter) error {
			return r.write(w)
		}, wire.WithColumns(r.columns)))
	}
	if together {
		if _, err := s.run(ctx, translate("COMMIT", s.readOnly), nil, nil); err != nil {
			return nil, err
		}
	}
	return prepared, nil
}

func (r *result) write(w wire.DataWriter) error {
	for _, row := range r.rows {
		if err := w.Row(row); err != nil {
			return err
		}
	}
	return w.Complete(r.tag)
}

// run runs one statement. columns is what was announced; nil takes them from
// the answer.
func (s *session) run(ctx context.Context, t statement, columns wire.Columns, values []any) (*result, error) {
	if s.failed && t.verb != "ROLLBACK" && t.verb != "COMMIT" && t.verb != "END" && t.verb != "ABORT" {
		return nil, coded(errors.New("current transaction is aborted, commands ignored until end of transaction block"), codes.InFailedSQLTransaction)
	}
	if isControl(t.verb) {
		return s.control(ctx, t)
	}
	if t.answer != "" {
		return &result{tag: t.answer}, nil
	}
	if s.readOnly && t.writes() {
		return nil, s.fail(coded(fmt.Errorf("cannot execute %s in a read-only transaction", t.verb), codes.ReadOnlySQLTransaction))
	}
	if err := t.refuse(); err != nil {
		return nil, s.fail(err)
	}
	conn, release := s.reader()
	defer release()
	if !t.returns {
		done, err := conn.ExecContext(ctx, t.text, values...)
		if err != nil {
			return nil, s.fail(err)
		}
		n, err := done.RowsAffected()
		return &result{tag: t.tag(n)}, err
	}
	r, err := collect(ctx, conn, t, columns, values)
	if err != nil {
		return nil, s.fail(err)
	}
	r.tag = t.tag(int64(len(r.rows)))
	return r, nil
}

// reader is the connection to SQLite that the session uses at the moment.
func (s *session) reader() (conn *sql.Conn, release func()) {
	if !s.readOnly {
		return s.conn, func() {}
	}
	s.mu.Lock()
	if s.held == nil {
		s.mu.Unlock()
		return s.conn, func() {}
	}
	return s.held, s.mu.Unlock
}

// control begins and ends transactions.
func (s *session) control(ctx context.Context, t statement) (*result, error) {
	switch {
	case t.verb == "SAVEPOINT" || t.verb == "RELEASE" || strings.Contains(t.upper, " TO "):
		if _, err := s.conn.ExecContext(ctx, t.text); err != nil {
			return nil, s.fail(err)
		}
		s.failed = s.failed && t.verb != "ROLLBACK"
		return &result{tag: t.verb}, nil
	case t.verb == "BEGIN" || t.verb == "START":
		if s.open {
			return &result{tag: "BEGIN"}, nil // PostgreSQL warns and goes on
		}
		// A transaction that reads first and writes later would find the
		// database locked in the middle: it waits for its turn here.
		begin := "BEGIN IMMEDIATE"
		if s.readOnly {
			begin = "BEGIN"
		}
		if _, err := s.conn.ExecContext(ctx, begin); err != nil {
			return nil, s.fail(err)
		}
		s.open = true
		return &result{tag: "BEGIN"}, nil
	}
	end := "COMMIT"
	if s.failed || t.verb == "ROLLBACK" || t.verb == "ABORT" {
		end = "ROLLBACK"
	}
	if s.open {
		if _, err := s.conn.ExecContext(ctx, end); err != nil {
			return nil, s.fail(err)
		}
	}
	s.open, s.failed = false, false
	return &result{tag: end}, nil
}

// fail notes that the transaction has failed, and says why as PostgreSQL does.
func (s *session) fail(err error) error {
	if s.open {
		s.failed = true
	}
	return translateError(err)
}

func coded(err error, code codes.Code) error {
	return psqlerr.WithSeverity(psqlerr.WithCode(err, code), psqlerr.LevelError)
}

// sqlStates are what SQLite's messages mean to a client of PostgreSQL.
var sqlStates = []struct {
	message string
	code    codes.Code
}{
	{"UNIQUE constraint", codes.UniqueViolation},
	{"NOT NULL constraint", codes.NotNullViolation},
	{"FOREIGN KEY constraint", codes.ForeignKeyViolation},
	{"CHECK constraint", codes.CheckViolation},
	{"no such table", codes.UndefinedTable},
	{"already exists", codes.DuplicateRelation},
	{"no such column", codes.UndefinedColumn},
	{"has no column", codes.UndefinedColumn},
	{"no such function", codes.UndefinedFunction},
	{"readonly database", codes.ReadOnlySQLTransaction},
	{"database is locked", codes.LockNotAvailable},
	{"interrupted", codes.QueryCanceled},
	{"full", codes.DiskFull},
	{"syntax error", codes.Syntax},
	{"unrecognized token", codes.Syntax},
	{"incomplete input", codes.Syntax},
}

func translateError(err error) error {
	if err == nil || psqlerr.GetCode(err) != codes.Uncategorized || errors.Is(err, io.EOF) {
		return err
	}
	for _, s := range sqlStates {
		if !strings.Contains(err.Error(), s.message) {
			continue
		}
		if s.code == codes.Syntax || s.code == codes.UndefinedFunction {
			err = fmt.Errorf("%w (%s)", err, instead)
		}
		return coded(err, s.code)
	}
	return coded(err, codes.Internal)
}

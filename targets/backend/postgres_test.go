package backend_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/proc"
	"github.com/jackc/pgx/v5"
)

// needPostgres skips a test on a machine without PostgreSQL, and fails it in
// CI, which installs it.
func needPostgres(t *testing.T) {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(found) > 0 {
		return
	}
	if _, err := exec.LookPath("postgres"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("PostgreSQL is not installed, although CI installs it (.ci/needs)")
	}
	t.Skip("PostgreSQL is not installed")
}

// query runs one statement on a connection of its own and returns its first
// column, if it has one.
func query[T any](ctx context.Context, url, statement string, args ...any) (rows []T, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	r, err := c.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(r, pgx.RowTo[T])
}

func mustQuery[T any](t *testing.T, url, statement string, args ...any) []T {
	t.Helper()
	rows, err := query[T](t.Context(), url, statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return rows
}

// writer inserts 1, 2, 3… until it is stopped, each on the connection that it
// has while it works, and remembers what was acknowledged and how long nothing
// was.
type writer struct {
	acked   []int64
	longest time.Duration
	stop    context.CancelFunc
	done    chan struct{}
}

func startWriter(t *testing.T, url string) *writer {
	t.Helper()
	mustQuery[int64](t, url, "CREATE TABLE writes (n bigint PRIMARY KEY)")
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{stop: cancel, done: make(chan struct{})}
	t.Cleanup(func() { w.end() })
	go func() {
		defer close(w.done)
		var c *pgx.Conn
		last := time.Now()
		for n := int64(1); ctx.Err() == nil; n++ {
			try, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			var err error
			if c == nil {
				c, err = pgx.Connect(try, url)
			}
			if err == nil {
				if _, err = c.Exec(try, "INSERT INTO writes VALUES ($1)", n); err != nil {
					c.Close(try)
					c = nil
				}
			}
			cancel()
			if err != nil {
				continue
			}
			w.acked = append(w.acked, n)
			w.longest = max(w.longest, time.Since(last))
			last = time.Now()
		}
		if c != nil {
			c.Close(context.Background())
		}
	}()
	return w
}

func (w *writer) end() {
	w.stop()
	<-w.done
}

// lost counts the acknowledged writes that are not there.
func (w *writer) lost(t *testing.T, url string) (lost int) {
	t.Helper()
	there := map[int64]bool{}
	for _, n := range mustQuery[int64](t, url, "SELECT n FROM writes") {
		there[n] = true
	}
	for _, n := range w.acked {
		if !there[n] {
			lost++
		}
	}
	return lost
}

func TestPostgresAlone(t *testing.T) {
	needPostgres(t)
	s := newStage(t)
	b := s.play("db", backend.Config{Kind: "postgres"})
	if b.Mode() != "local" || !strings.HasPrefix(b.Server(), "PostgreSQL 1") || b.ReplicaURL() != "" {
		t.Errorf("it is %s, %s, %s", b.Mode(), b.Server(), b.ReplicaURL())
	}
	mustQuery[int64](t, b.URL(), "CREATE TABLE a (b bigint)")
	mustQuery[int64](t, b.URL(), "INSERT INTO a VALUES (1)")
	if ids := b.Processes("node-1"); len(ids) < 4 || ids[0] != b.Nodes()[0].ID {
		t.Errorf("its processes are %v", ids)
	}

	// A connection that an application has stays; there is no other.
	ctx := t.Context()
	kept, err := pgx.Connect(ctx, b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close(ctx)
	var more [5]*pgx.Conn
	for i := range more {
		if more[i], err = pgx.Connect(ctx, b.URL()); err != nil {
			t.Fatal(err)
		}
	}
	undo, err := b.Fill(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := query[int64](ctx, b.URL(), "SELECT 1::bigint"); err == nil || !strings.Contains(err.Error(), "53300") {
		t.Errorf("a full server took a connection: %v", err)
	}
	if _, err := kept.Exec(ctx, "INSERT INTO a VALUES (2)"); err != nil {
		t.Error(err)
	}
	// Those that are given back are taken, too: all but two of superusers.
	for _, conn := range more {
		conn.Close(ctx)
	}
	s.await("the server to be full again", func() error {
		var full bool
		conn, err := pgx.Connect(ctx, s.superuser(b))
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		err = conn.QueryRow(ctx, "SELECT count(*) + 2 >= current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int FROM pg_stat_activity WHERE usename = 'app'").Scan(&full)
		if err == nil && !full {
			err = errors.New("it has room")
		}
		return err
	})
	if err := undo(ctx); err != nil {
		t.Fatal(err)
	}
	s.await("a connection", func() error { return second(query[int64](ctx, b.URL(), "SELECT 1::bigint")) })

	s.kill(b, backend.Main)
	s.awaitEvent(backend.Ended)
	if _, err := query[int64](ctx, b.URL(), "SELECT 1::bigint"); err == nil {
		t.Error("a killed server answers")
	}
	if err := b.StartNode(ctx, "node-1"); err != nil {
		t.Fatal(err)
	}
	if rows := mustQuery[int64](t, b.URL(), "SELECT b FROM a ORDER BY b"); len(rows) != 2 {
		t.Errorf("after a kill it has %v", rows)
	}
	for _, err := range []error{b.Promote(ctx), second(b.Lag(ctx))} {
		if err == nil || !strings.Contains(err.Error(), "no replica") {
			t.Errorf("without replicas: %v", err)
		}
	}
}

// superuser is the URL of a PostgreSQL for its superuser.
func (s *stage) superuser(b *backend.Backend) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Folder, "dependency-"+b.Name(), "passfile"))
	if err != nil {
		s.t.Fatal(err)
	}
	fields := strings.Split(strings.TrimSpace(string(text)), ":")
	return strings.Replace(b.URL(), "app@", "postgres:"+fields[len(fields)-1]+"@", 1)
}

// Every user of the machine can connect to it, and a superuser can run programs.
func TestPostgresLetsNobodyElseIn(t *testing.T) {
	needPostgres(t)
	t.Setenv("CI_TOKEN", "secret")
	s := newStage(t)
	b := s.play("db", backend.Config{Kind: "postgres", Replicas: 1})
	ctx := t.Context()
	for _, url := range []string{b.URL(), b.ReplicaURL()} {
		as := func(user string) error {
			return second(query[int64](ctx, strings.Replace(url, "app@", user+"@", 1), "SELECT 1::bigint"))
		}
		if err := as("postgres"); err == nil {
			t.Error("anybody is a superuser")
		}
		if err := as("postgres:guess"); err == nil || !strings.Contains(err.Error(), "28P01") {
			t.Errorf("with a wrong password: %v", err)
		}
	}
	if super := mustQuery[bool](t, s.superuser(b), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"); !super[0] {
		t.Error("its superuser is none")
	}
	if super := mustQuery[bool](t, b.URL(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"); super[0] {
		t.Error("the application is a superuser")
	}
	for _, n := range b.Nodes() {
		if strings.Contains(proc.Cmdline(n.ID.PID), "passw") {
			t.Error("its command line tells of a password")
		}
		if os.Geteuid() == 0 && runtime.GOOS == "linux" && proc.Environ(n.ID.PID, "CI_TOKEN") != "" {
			t.Error("it inherits a secret")
		}
	}
}

// Where it lives may be reached through a link; what is left of it is found all
// the same.
func TestPostgresBehindALink(t *testing.T) {
	needPostgres(t)
	s := newStage(t)
	folder := s.Folder
	s.Folder = folder + "-link"
	if err := os.Symlink(folder, s.Folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(s.Folder) })
	b := s.play("db", backend.Config{Kind: "postgres"})
	s.freezeMatching(b, "node-1", "writer")
	frozen := b.Processes("node-1")
	s.kill(b, backend.Main)
	s.await("the frozen ones to end too", func() error {
		for _, id := range frozen {
			if proc.Alive(id) {
				return fmt.Errorf("pid %d lives", id.PID)
			}
		}
		return nil
	})
	if err := b.StartNode(t.Context(), "node-1"); err != nil {
		t.Fatal(err)
	}
}

// Told to end by SIGTERM it waits for its clients, and takes no new ones; that
// hachaos has asked it things must not be what keeps it.
func TestPostgresTakesItsLeave(t *testing.T) {
	needPostgres(t)
	s := newStage(t)
	b := s.play("db", backend.Config{Kind: "postgres"})
	ctx := t.Context()
	client, err := pgx.Connect(ctx, b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(ctx)
	first := b.Nodes()[0].ID
	s.signal(first, "SIGTERM")
	s.await("new clients to be refused", func() error {
		if _, err := query[int64](ctx, b.URL(), "SELECT 1::bigint"); err == nil {
			return errors.New("one was taken")
		}
		return nil
	})
	if _, err := client.Exec(ctx, "SELECT 1"); err != nil {
		t.Errorf("a client was dropped: %v", err)
	}
	client.Close(ctx)
	s.await("its end", func() error {
		if proc.Alive(first) {
			return errors.New("it lives")
		}
		return nil
	})
	if err := b.StartNode(ctx, "node-1"); err != nil {
		t.Fatal(err)
	}
	mustQuery[int64](t, b.URL(), "SELECT 1::bigint")
}

// Right after its end a killed server's remains are still being cleaned up, which
// must not strike the one that is started in its place.
func TestPostgresIsStartedAgainAtOnce(t *testing.T) {
	needPostgres(t)
	s := newStage(t)
	b := s.play("db", backend.Config{Kind: "postgres"})
	for range 5 {
		client, err := pgx.Connect(t.Context(), b.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close(t.Context())
		killed := s.kill(b, backend.Main).ID
		for proc.Alive(killed) {
			runtime.Gosched()
		}
		if err := b.StartNode(t.Context(), "node-1"); err != nil {
			t.Fatal(err)
		}
		if now := b.Nodes()[0].ID; now == killed || !proc.Alive(now) {
			t.Fatalf("after %+v it is %+v", killed, now)
		}
		mustQuery[int64](t, b.URL(), "SELECT 1::bigint")
	}
}

func TestPostgresFailoverSync(t *testing.T) {
	needPostgres(t)
	s := newStage(t)
	b := s.play("db", backend.Config{Kind: "postgres", Replicas: 2, Replication: "sync"})
	w := startWriter(t, b.URL())
	s.await("writes to be read from a replica", func() error {
		rows, err := query[int64](t.Context(), b.ReplicaURL(), "SELECT count(*) FROM writes")
		if err == nil && rows[0] < 20 {
			err = errors.New("few are there")
		}
		return err
	})
	if recovering := mustQuery[bool](t, b.ReplicaURL(), "SELECT pg_is_in_recovery()"); !recovering[0] {
		t.Error("the replica's URL leads to the primary")
	}
	// While no replica takes it in, a commit is not acknowledged.
	replicas, err := b.Select(backend.Replica)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range replicas {
		s.freezeMatching(b, n.Name, "")
	}
	waiting, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := query[int64](waiting, b.URL(), "INSERT INTO writes VALUES (-2)"); err == nil {
		t.Error("a commit was acknowledged that no replica had")
	}
	for _, n := range replicas {
		s.thaw(b, n.Name)
	}
	old := s.kill(b, backend.Primary)
	// Reads go on all the while.
	for len(failovers(s)) == 0 {
		if _, err := query[int64](t.Context(), b.ReplicaURL(), "SELECT count(*) FROM writes"); err != nil {
			t.Errorf("a read failed: %v", err)
			break
		}
	}
	e := s.awaitEvent(backend.FailedOn)
	s.awaitMoreWrites(b)
	w.end()
	if lost := w.lost(t, b.URL()); lost > 0 {
		t.Errorf("%d of %d acknowledged writes were lost", lost, len(w.acked))
	}
	t.Logf("sync: %d acknowledged, failover %v, longest without an acknowledged write %v", len(w.acked), e.Took, w.longest)

	// The old primary comes back as a replica that commits may wait for.
	if err := b.StartNode(t.Context(), old.Name); err != nil {
		t.Fatal(err)
	}
	if replicas, err = b.Select(backend.Replica); err != nil || len(replicas) != 2 {
		t.Errorf("replicas are %+v, %v", replicas, err)
	}
	if primaries, err := b.Select(backend.Primary); err != nil || len(primaries) != 1 || primaries[0].Name != e.Node || primaries[0].Proxy != "db" {
		t.Errorf("primaries are %+v, %v", primaries, err)
	}
	mustQuery[int64](t, b.URL(), "INSERT INTO writes VALUES (-1)")
}

// awaitMoreWrites waits until the dependency holds more of the writer's.
func (s *stage) awaitMoreWrites(b *backend.Backend) {
	s.t.Helper()
	const count = "SELECT count(*) FROM writes"
	before := mustQuery[int64](s.t, b.URL(), count)[0]
	s.await("more writes", func() error {
		rows, err := query[int64](s.t.Context(), b.URL(), count)
		if err == nil && rows[0] < before+20 {
			err = fmt.Errorf("there are %d, before it were %d", rows[0], before)
		}
		return err
	})
}

func failovers(s *stage) (all []backend.Change) {
	for _, c := range s.seen() {
		if c.Event == backend.FailedOn {
			all = append(all, c)
		}
	}
	return all
}

func TestPostgresFailoverAsync(t *testing.T) {
	needPostgres(t)
	s := newStage(t)
	b := s.play("db", backend.Config{Kind: "postgres", Replicas: 1})
	w := startWriter(t, b.URL())
	s.await("writes", func() error {
		rows, err := query[int64](t.Context(), b.ReplicaURL(), "SELECT count(*) FROM writes")
		if err == nil && rows[0] < 20 {
			err = errors.New("few are there")
		}
		return err
	})
	primary, err := b.Select(backend.Primary)
	if err != nil {
		t.Fatal(err)
	}
	// What the primary acknowledges from here on never leaves it.
	s.freezeMatching(b, primary[0].Name, "walsender")
	for _, n := range []int64{-2, -3} {
		mustQuery[int64](t, b.URL(), "INSERT INTO writes VALUES ($1)", n)
	}
	// A frozen primary keeps its connections and answers nothing.
	s.freezeMatching(b, primary[0].Name, "")
	e := s.awaitEvent(backend.FailedOn)
	s.awaitMoreWrites(b)
	w.end()
	if there := mustQuery[int64](t, b.URL(), "SELECT n FROM writes WHERE n < 0"); len(there) > 0 {
		t.Errorf("%v outlived the only server that had them", there)
	}
	t.Logf("async: %d of %d acknowledged writes were lost; failover %v, longest without an acknowledged write %v", w.lost(t, b.URL()), len(w.acked), e.Took, w.longest)
	for _, n := range b.Nodes() {
		if n.Name == primary[0].Name && n.Alive {
			t.Error("the old primary was not fenced")
		}
	}
	// With nobody left, its death is told and nothing else happens.
	s.kill(b, backend.Primary)
	if f := s.awaitEvent(backend.Failed); !strings.Contains(f.What, "no replica answers") {
		t.Errorf("told %+v", f)
	}
}

func TestPostgresLagAndPromote(t *testing.T) {
	needPostgres(t)
	s := newStage(t)
	b := s.play("db", backend.Config{Kind: "postgres", Replicas: 1, Replication: "sync"})
	ctx := t.Context()
	mustQuery[int64](t, b.URL(), "CREATE TABLE a (b bigint)")
	count := func() int64 {
		rows, err := query[int64](ctx, b.ReplicaURL(), "SELECT count(*) FROM a")
		if err != nil {
			return -1
		}
		return rows[0]
	}
	s.await("the table", func() error {
		if count() < 0 {
			return errors.New("it is not there")
		}
		return nil
	})
	undo, err := b.Lag(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		mustQuery[int64](t, b.URL(), "INSERT INTO a VALUES (1)")
	}
	if n := count(); n != 0 {
		t.Errorf("a replica that is held back has %d rows", n)
	}
	if err := undo(ctx); err != nil {
		t.Fatal(err)
	}
	s.await("the replica to catch up", func() error {
		if n := count(); n != 5 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
	old, err := b.Select(backend.Primary)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Promote(ctx); err != nil {
		t.Fatal(err)
	}
	if now, err := b.Select(backend.Primary); err != nil || now[0].Name == old[0].Name {
		t.Errorf("primary is %+v, %v", now, err)
	}
	if rows := mustQuery[int64](t, b.URL(), "SELECT count(*) FROM a"); rows[0] != 5 {
		t.Errorf("after a promotion there are %d rows", rows[0])
	}
	mustQuery[int64](t, b.URL(), "INSERT INTO a VALUES (1)")
	s.await("the old primary to follow", func() error {
		if n := count(); n != 6 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
	if recovering := mustQuery[bool](t, b.ReplicaURL(), "SELECT pg_is_in_recovery()"); !recovering[0] {
		t.Error("the replica's URL does not lead to a replica")
	}
	if len(failovers(s)) > 0 {
		t.Errorf("a promotion was taken for a failover: %+v", s.seen())
	}
}

func TestPostgresDoesNotStart(t *testing.T) {
	needPostgres(t)
	s := newStage(t)
	config := backend.Config{Kind: "postgres", Mode: "local"}
	config.SetDefaults()
	opts := s.Options
	opts.Proxies = broken{s}
	b := backend.New("db", config, opts)
	err := b.Start(t.Context())
	s.stop(b)
	if err == nil || !strings.Contains(err.Error(), "start dependency db: start node-1: it ended: exit status 1; it printed last:") || !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("a taken port: %v", err)
	}
}

// Root starts it as a user that may not enter every folder of root's.
func TestPostgresUserMayNotEnter(t *testing.T) {
	needPostgres(t)
	if os.Geteuid() != 0 {
		t.Skip("only root starts PostgreSQL as another user")
	}
	s := newStage(t)
	opts := s.Options
	private := filepath.Join(s.Folder, "private")
	opts.Folder = filepath.Join(private, "run")
	if err := os.MkdirAll(opts.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Folder, 0o711); err != nil {
		t.Fatal(err)
	}
	config := backend.Config{Kind: "postgres", Mode: "local"}
	config.SetDefaults()
	b := backend.New("db", config, opts)
	err := b.Start(t.Context())
	s.stop(b)
	if err == nil || !strings.Contains(err.Error(), "its user postgres may not enter "+private+" (set TMPDIR") {
		t.Errorf("a folder of root's: %v", err)
	}
}

// broken takes the upstream's port away before the server has it.
type broken struct{ s *stage }

func (b broken) Add(_ context.Context, _, _, upstream string) (string, error) {
	ln, err := net.Listen("tcp", upstream)
	if err != nil {
		return "", err
	}
	b.s.t.Cleanup(func() { ln.Close() })
	return upstream, nil
}

func (b broken) Repoint(context.Context, string, string) error { return nil }

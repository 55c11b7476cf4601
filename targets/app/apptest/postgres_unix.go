//go:build unix

package apptest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/hachaos/hachaos/targets/port"
)

// Postgres starts a PostgreSQL server and returns its address. Its superuser is
// postgres, without a password. It runs as the user postgres if the test runs as
// root, which PostgreSQL refuses.
func Postgres(t testing.TB) string {
	t.Helper()
	const places = "/usr/lib/postgresql/*/bin"
	initdb, server := need(t, "initdb", "postgresql", places), need(t, "postgres", "postgresql", places)
	dir, err := os.MkdirTemp("", "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	as := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	cmd := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
	cmd.Dir, cmd.SysProcAttr = dir, as
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	number, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd = exec.Command(server, "-D", data, "-p", strconv.Itoa(number), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=8MB")
	cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = dir, as, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // an immediate shutdown, of its children too
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("postgres:\n%s", text)
		}
	})
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
	Await(t, "postgres to answer", func() bool { return accepts(address) })
	return address
}

// accepts tells whether a server takes connections: it answers a startup message
// with a request for authentication, not with an error such as 57P03.
func accepts(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	startup := "\x00\x03\x00\x00user\x00postgres\x00\x00"
	fmt.Fprintf(conn, "\x00\x00\x00%c%s", len(startup)+4, startup)
	var kind [1]byte
	n, err := conn.Read(kind[:])
	return n == 1 && err == nil && kind[0] == 'R'
}

// Package apptest starts what the tests of the application depend on: real
// servers, and a [Relay] before them that can be cut. It is for tests alone.
package apptest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
)

// Patience is how long a test waits for what has to happen.
const Patience = 60 * time.Second

// Await waits until ok, and fails the test if that takes too long.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// need returns the path of a program. Without it the test is skipped, and fails
// in CI, which installs it.
func need(t testing.TB, program, pkg string, places ...string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range places {
		if found, _ := filepath.Glob(filepath.Join(pattern, program)); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed, although CI installs it (.ci/needs)", program)
	}
	t.Skipf("%s is not installed (apt-get install %s)", program, pkg)
	return ""
}

// Redis starts a redis-server with further arguments and returns its address.
// It ends with the test, or by kill.
func Redis(t testing.TB, args ...string) (address string, kill func()) {
	t.Helper()
	return redis(t, append([]string{"--save", ""}, args...), "")
}

// RedisCluster starts a node of a Redis Cluster, without slots, as [Redis] does.
// bus is the port of its bus, which is one of our choice: 10,000 above the node's,
// which Redis takes unasked, may be one that an outgoing connection holds.
func RedisCluster(t testing.TB, args ...string) (address, bus string, kill func()) {
	t.Helper()
	number, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	bus = strconv.Itoa(number)
	address, kill = Redis(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus}, args...)...)
	return address, bus, kill
}

// Sentinel starts a Redis Sentinel that watches a server under the name main, and
// gives it up after half a second.
func Sentinel(t testing.TB, watched string) (address string) {
	t.Helper()
	host, number, err := net.SplitHostPort(watched)
	if err != nil {
		t.Fatal(err)
	}
	address, _ = redis(t, []string{"--sentinel"}, fmt.Sprintf("sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 500\n", host, number))
	return address
}

// redis starts a server on a configuration file, which a Sentinel must have.
func redis(t testing.TB, args []string, config string) (address string, kill func()) {
	t.Helper()
	path := need(t, "redis-server", "redis-server")
	number, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "redis.conf")
	config += fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nlogfile %s\n", number, dir, filepath.Join(dir, "log"))
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(proc.Command{Path: path, Dir: dir, Args: append([]string{file}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	kill = func() {
		p.Kill()
		<-p.Done()
	}
	t.Cleanup(func() {
		kill()
		if text, err := os.ReadFile(filepath.Join(dir, "log")); t.Failed() && err == nil {
			t.Logf("redis:\n%s", text)
		}
		os.RemoveAll(dir)
	})
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
	Await(t, "redis-server to listen", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	return address, kill
}

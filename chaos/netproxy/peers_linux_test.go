package netproxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// contender is a proxy before an upstream.
type contender struct {
	name  string
	start func(b *testing.B, u *upstream) peer
}

// peer is a running proxy.
type peer struct {
	addr string
	pid  int    // 0: none
	api  string // "" if it cannot be told to delay
}

func contenders(b *testing.B) []contender {
	list := []contender{
		{"direct", func(_ *testing.B, u *upstream) peer { return peer{addr: u.addr()} }},
		{"hachaos", func(b *testing.B, u *upstream) peer { return startSelf(b, u, "proxy") }},
		{"hachaos-portable", func(b *testing.B, u *upstream) peer { return startSelf(b, u, "portable") }},
	}
	if server := buildToxiproxy(b); server != "" {
		list = append(list, contender{"toxiproxy", func(b *testing.B, u *upstream) peer { return startToxiproxy(b, server, u) }})
	}
	if path, err := exec.LookPath("haproxy"); err == nil {
		list = append(list, contender{"haproxy", func(b *testing.B, u *upstream) peer { return startHAProxy(b, path, u) }})
	}
	return list
}

// buildToxiproxy builds Toxiproxy's server once. "" where it cannot be had.
func buildToxiproxy(b *testing.B) string {
	toxiproxyServer.Do(func() {
		path, err := buildPeer(b, "server")
		if err != nil {
			b.Logf("no Toxiproxy to compare with: %v", err)
		}
		toxiproxyServer.path = path
	})
	return toxiproxyServer.path
}

var toxiproxyServer struct {
	sync.Once
	path string
}

func startSelf(b *testing.B, u *upstream, role string) peer {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "NETPROXY_ROLE="+role, "NETPROXY_UPSTREAM="+u.addr())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	run(b, cmd, func() { stdin.Close() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	words := strings.Fields(line)
	return peer{words[0], cmd.Process.Pid, words[1]}
}

// run starts a process and ends it with the benchmark.
func run(b *testing.B, cmd *exec.Cmd, end func()) {
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		end()
		cmd.Wait()
	})
}

func startToxiproxy(b *testing.B, server string, u *upstream) peer {
	api, listen := closedPort(b), closedPort(b)
	host, port, _ := net.SplitHostPort(api)
	cmd := exec.Command(server, "-host", host, "-port", port)
	cmd.Env = append(os.Environ(), "LOG_LEVEL=error")
	run(b, cmd, func() { cmd.Process.Kill() })
	c := &Client{URL: "http://" + api}
	eventually(b, "Toxiproxy answers", func() bool {
		_, err := c.Add(context.Background(), Config{Name: "p", Listen: listen, Upstream: u.addr(), Enabled: true})
		return err == nil
	})
	return peer{listen, cmd.Process.Pid, c.URL}
}

func startHAProxy(b *testing.B, path string, u *upstream) peer {
	listen := closedPort(b)
	config := filepath.Join(b.TempDir(), "haproxy.cfg")
	text := fmt.Sprintf(`global
  nbthread 1
  maxconn 9000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen p
  bind %s
  server s %s
`, listen, u.addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(path, "-db", "-f", config)
	run(b, cmd, func() { cmd.Process.Kill() })
	eventually(b, "HAProxy listens", func() bool {
		c, err := net.Dial("tcp", listen)
		if err != nil {
			return false
		}
		u.accept(b).Close()
		return c.Close() == nil
	})
	return peer{addr: listen, pid: cmd.Process.Pid}
}

// resident returns a process's memory in bytes.
func resident(b *testing.B, pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func descriptors(b *testing.B, pid int) int {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		b.Fatal(err)
	}
	return len(list)
}

// processorTime returns what a process has used. Unlike the wall clock, it is
// little disturbed by others on the machine.
func processorTime(b *testing.B, pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	// The fields after the name, which may hold anything, in parentheses.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	total := time.Duration(0)
	for _, field := range fields[11:13] { // user and system, in hundredths
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		total += time.Duration(n) * 10 * time.Millisecond
	}
	return total
}

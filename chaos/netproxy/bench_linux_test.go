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
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The benchmarks compare proxies of one machine in one run: only the ratios
// mean something. Each proxy is a process of its own; the generator and the
// upstream are loops in this one, as lean as they can be.

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

var built struct {
	sync.Once
	path string
}

// buildToxiproxy builds Toxiproxy's server in a module of its own, as ours does
// not require what it needs. "" where the module cannot be had.
func buildToxiproxy(b *testing.B) string {
	built.Do(func() {
		dir, err := os.MkdirTemp("", "toxiproxy")
		if err != nil {
			b.Fatal(err)
		}
		leftovers = append(leftovers, dir)
		for _, args := range [][]string{
			{"mod", "init", "peer"},
			{"get", "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"},
			{"build", "-o", filepath.Join(dir, "server"), "github.com/Shopify/toxiproxy/v2/cmd/server"},
		} {
			cmd := exec.Command("go", args...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Logf("no Toxiproxy to compare with: go %s: %v\n%s", strings.Join(args, " "), err, out)
				return
			}
		}
		built.path = filepath.Join(dir, "server")
	})
	return built.path
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

// fdLoop calls f for each of the sockets that is readable, until f says stop.
func fdLoop(fds []int, f func(fd int) bool) error {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(ep)
	for _, fd := range fds {
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return err
		}
	}
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(ep, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for i := range max(n, 0) {
			if !f(int(events[i].Fd)) {
				return nil
			}
		}
	}
}

// rawFDs takes connections out of Go's poller.
func rawFDs(b *testing.B, conns []*net.TCPConn) []int {
	fds := make([]int, len(conns))
	for i, c := range conns {
		f, err := c.File()
		if err != nil {
			b.Fatal(err)
		}
		if fds[i], err = unix.Dup(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		f.Close()
		c.Close()
		unix.SetNonblock(fds[i], true)
		b.Cleanup(func() { unix.Close(fds[i]) })
	}
	return fds
}

// connect makes n connections through a proxy.
func connect(b *testing.B, addr string, u *upstream, n int) (clients, servers []*net.TCPConn) {
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		clients = append(clients, c.(*net.TCPConn))
		servers = append(servers, u.accept(b))
	}
	return clients, servers
}

func BenchmarkSmallMessages(b *testing.B) {
	const conns, size = 32, 64
	for _, c := range contenders(b) {
		b.Run(c.name, func(b *testing.B) {
			u := newUpstream(b)
			p := c.start(b, u)
			clients, servers := connect(b, p.addr, u, conns)
			echoing := make(chan struct{})
			go func() {
				defer close(echoing)
				buffer := make([]byte, size)
				fdLoop(rawFDs(b, servers), func(fd int) bool {
					n, errno := receive(fd, buffer)
					if errno == unix.EAGAIN {
						return true
					}
					if errno != 0 || n == 0 {
						return false
					}
					send(fd, buffer[:n])
					return true
				})
			}()
			fds := rawFDs(b, clients)
			message := bytes.Repeat([]byte("x"), size)
			buffer := make([]byte, size)
			used := processorTime(b, p.pid)
			b.ResetTimer()
			for _, fd := range fds {
				send(fd, message)
			}
			left := b.N
			fdLoop(fds, func(fd int) bool {
				if _, errno := receive(fd, buffer); errno != 0 {
					return errno == unix.EAGAIN
				}
				send(fd, message)
				left--
				return left > 0
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric((processorTime(b, p.pid)-used).Seconds()*1e6/float64(b.N), "proxy-µs/msg")
			for _, fd := range fds {
				unix.Shutdown(fd, unix.SHUT_RDWR)
			}
			<-echoing
		})
	}
}

func BenchmarkBulk(b *testing.B) {
	for _, c := range contenders(b) {
		b.Run(c.name, func(b *testing.B) {
			u := newUpstream(b)
			p := c.start(b, u)
			clients, servers := connect(b, p.addr, u, 1)
			servers[0].SetDeadline(time.Time{})
			block := make([]byte, 1<<20)
			b.SetBytes(int64(len(block)))
			clients[0].SetDeadline(time.Time{})
			used := processorTime(b, p.pid)
			b.ResetTimer()
			go func() {
				for range b.N {
					if _, err := clients[0].Write(block); err != nil {
						b.Error(err)
						break
					}
				}
				clients[0].CloseWrite()
			}()
			into, got := make([]byte, 256<<10), int64(0)
			for {
				n, err := servers[0].Read(into)
				got += int64(n)
				if err != nil {
					break
				}
			}
			if got != int64(b.N)<<20 {
				b.Errorf("%d bytes of %d came", got, int64(b.N)<<20)
			}
			b.ReportMetric((processorTime(b, p.pid)-used).Seconds()*1e6/float64(b.N), "proxy-µs/MiB")
		})
	}
}

func BenchmarkIdleConnections(b *testing.B) {
	const conns = 4000
	for _, c := range contenders(b) {
		if c.name == "direct" {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			u := newUpstream(b)
			p := c.start(b, u)
			clients, servers := connect(b, p.addr, u, 1)
			memory, files := resident(b, p.pid), descriptors(b, p.pid)
			more, moreServers := connect(b, p.addr, u, conns)
			// Each has been used, and is idle now.
			for i, c := range append(clients, more...) {
				write(b, c, "ping")
				expect(b, append(servers, moreServers...)[i], "ping")
			}
			for b.Loop() {
			}
			b.ReportMetric(float64(resident(b, p.pid)-memory)/1024/conns, "KiB/conn")
			b.ReportMetric(float64(descriptors(b, p.pid)-files)/conns, "fd/conn")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkLatency20ms(b *testing.B) {
	const injected = 20 * time.Millisecond
	for _, c := range contenders(b) {
		b.Run(c.name, func(b *testing.B) {
			u := newUpstream(b)
			p := c.start(b, u)
			if p.api == "" {
				b.Skip("it cannot delay")
			}
			_, err := (&Client{URL: p.api}).AddToxic(context.Background(), "p", Toxic{Attributes: &Latency{Latency: 20}, Toxicity: 1})
			if err != nil {
				b.Fatal(err)
			}
			clients, servers := connect(b, p.addr, u, 1)
			var off []time.Duration
			for b.Loop() {
				write(b, clients[0], "x")
				expect(b, servers[0], "x")
				start := time.Now()
				write(b, servers[0], "y")
				expect(b, clients[0], "y")
				off = append(off, time.Since(start)-injected)
			}
			slices.Sort(off)
			at := func(q float64) float64 { return float64(off[int(q*float64(len(off)-1))].Microseconds()) }
			b.ReportMetric(at(0.5), "p50-late-µs")
			b.ReportMetric(at(0.99), "p99-late-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
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

package netproxy

import (
	"bytes"
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The benchmarks compare proxies of one machine in one run: only the ratios
// mean something. Each proxy is a process of its own; the generator and the
// upstream are loops in this one, as lean as they can be.

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

// BenchmarkLatency20ms reports how far an injected latency is from what was asked
// for: how much longer a byte takes through the proxy than the median of those
// that went through it before the toxic was there.
func BenchmarkLatency20ms(b *testing.B) {
	const injected, perLoop = 20 * time.Millisecond, 5
	for _, c := range contenders(b) {
		if c.name == "direct" || c.name == "haproxy" {
			continue // they cannot delay
		}
		b.Run(c.name, func(b *testing.B) {
			u := newUpstream(b)
			p := c.start(b, u)
			clients, servers := connect(b, p.addr, u, 1)
			trip := func() time.Duration {
				write(b, clients[0], "x")
				expect(b, servers[0], "x")
				start := time.Now()
				write(b, servers[0], "y")
				expect(b, clients[0], "y")
				return time.Since(start)
			}
			var without, off []time.Duration
			for range 1000 {
				without = append(without, trip())
			}
			slices.Sort(without)
			_, err := (&Client{URL: p.api}).AddToxic(context.Background(), "p", Toxic{Attributes: &Latency{Latency: 20}, Toxicity: 1})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for range perLoop {
					off = append(off, trip()-injected-without[len(without)/2])
				}
			}
			slices.Sort(off)
			at := func(q float64) float64 { return float64(off[int(q*float64(len(off)-1))].Microseconds()) }
			b.ReportMetric(at(0.5), "p50-late-µs")
			b.ReportMetric(at(0.99), "p99-late-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}

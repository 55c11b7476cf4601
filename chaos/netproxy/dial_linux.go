package netproxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// dial is how far the connection to the upstream is.
type dial struct {
	started   bool
	connected bool
	left      []netip.AddrPort // addresses that are not yet tried
}

const lookupTimeout = 10 * time.Second

// unconnected begins to connect to the upstream, unless a toxic keeps the
// connection from it.
func (c *conn) unconnected() {
	if c.sides[clientSide].broken {
		c.close(reset)
		return
	}
	if c.dial.started || c.blackholed() {
		return
	}
	c.dial.started = true
	upstream := *c.proxy.upstream.Load()
	if addr, err := netip.ParseAddrPort(upstream); err == nil {
		c.dial.left = []netip.AddrPort{addr}
		c.connect(nil)
		return
	}
	c.engine.dials.Add(1)
	go func() {
		defer c.engine.dials.Done()
		addrs, err := lookUp(upstream)
		c.loop.post(func() {
			if !c.ended {
				c.dial.left = addrs
				c.connect(err)
			}
		})
	}()
}

func lookUp(upstream string) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	host, service, err := net.SplitHostPort(upstream)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var addrs []netip.AddrPort
	for _, ip := range ips {
		addrs = append(addrs, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return addrs, nil
}

// connect tries the addresses that are left, and resets the client when there
// are none: err is why the one before failed.
func (c *conn) connect(err error) {
	for len(c.dial.left) > 0 {
		addr := c.dial.left[0]
		c.dial.left = c.dial.left[1:]
		if err = c.connectTo(addr); err == nil {
			return
		}
	}
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		c.tryAgain()
		return
	}
	if err == nil {
		err = errors.New("no address")
	}
	c.proxy.traffic.dialErrors.Add(1)
	c.proxy.server.log.Warn("cannot reach the upstream", "proxy", c.proxy.name, "upstream", *c.proxy.upstream.Load(), "error", err)
	c.close(reset)
}

// tryAgain connects a moment later, when descriptors have run out: the client
// waits, as those in the backlog do.
func (c *conn) tryAgain() {
	time.AfterFunc(breath, func() {
		c.loop.post(func() {
			if !c.ended {
				c.dial.started = false
				c.pump()
			}
		})
	})
}

func (c *conn) connectTo(addr netip.AddrPort) error {
	family, to := sockaddr(addr)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	tune(fd)
	s := &c.sides[upstreamSide]
	*s = side{fd: fd}
	err = unix.Connect(fd, to)
	switch err {
	case nil:
		c.dial.connected, s.writable = true, true
	case unix.EINPROGRESS:
	default:
		c.hangUp()
		return os.NewSyscallError("connect", err)
	}
	if err := c.loop.control(unix.EPOLL_CTL_ADD, fd, interest, c.event(upstreamSide), c.generation); err != nil {
		c.dial.connected = false
		c.hangUp()
		return os.NewSyscallError("epoll_ctl", err)
	}
	if c.dial.connected {
		c.pump()
	}
	return nil
}

// hangUp gives up the socket to the upstream.
func (c *conn) hangUp() {
	unix.Close(c.sides[upstreamSide].fd)
	c.sides[upstreamSide].fd = -1
}

// connected looks how the attempt to connect went, and tells whether it did.
func (c *conn) connected() bool {
	fd := c.sides[upstreamSide].fd
	if fd < 0 {
		return false // an event of an address given up
	}
	if errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || errno != 0 {
		c.hangUp()
		c.connect(os.NewSyscallError("connect", unix.Errno(errno)))
		return false
	}
	_, err := unix.Getpeername(fd)
	c.dial.connected = err == nil
	return c.dial.connected
}

func sockaddr(addr netip.AddrPort) (family int, to unix.Sockaddr) {
	ip, port := addr.Addr().Unmap(), int(addr.Port())
	if ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: ip.As4()}
	}
	in6 := &unix.SockaddrInet6{Port: port, Addr: ip.As16()}
	if zone, err := net.InterfaceByName(ip.Zone()); ip.Zone() != "" && err == nil {
		in6.ZoneId = uint32(zone.Index)
	}
	return unix.AF_INET6, in6
}

package loadgen

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// resolveFor is how long an answer of the resolver is used: long enough that
// load is none for the name server, short enough to follow a failover by DNS.
const resolveFor = 5 * time.Second

// dialer connects to one host and port. It is safe for concurrent use.
type dialer struct {
	host    string
	port    uint16
	literal bool
	local   netip.AddrPort // zero: the system's choice
	buffers int            // bytes of the socket's; 0: the system's choice
	last    atomic.Pointer[resolved]
	lucky   atomic.Int32 // index of the address that answered last
}

type resolved struct {
	addrs []netip.AddrPort
	at    clock.Time
}

func newDialer(host, port string) (*dialer, error) {
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, err
	}
	d := &dialer{host: host, port: uint16(n)}
	if addr, err := netip.ParseAddr(host); err == nil {
		d.literal = true
		d.last.Store(&resolved{addrs: []netip.AddrPort{netip.AddrPortFrom(addr, d.port)}})
	}
	return d, nil
}

// dial connects by the deadline. Of several addresses it tries the one that
// answered last first, and the others for an equal share of what time is left.
func (d *dialer) dial(ctx context.Context, deadline clock.Time) (*socket, error) {
	addrs, err := d.resolve(ctx, deadline)
	if err != nil {
		return nil, err
	}
	first := int(d.lucky.Load()) % len(addrs)
	var firstErr error
	for i := range addrs {
		at := (first + i) % len(addrs)
		left := deadline.Sub(clock.Now())
		conn, err := dialSocket(ctx, d, addrs[at], deadline.Add(-left+left/time.Duration(len(addrs)-i)))
		if err == nil {
			d.lucky.Store(int32(at))
			return conn, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return nil, firstErr
}

func (d *dialer) resolve(ctx context.Context, deadline clock.Time) ([]netip.AddrPort, error) {
	if addrs := d.known(); addrs != nil {
		return addrs, nil
	}
	ctx, cancel := context.WithTimeout(ctx, deadline.Sub(clock.Now()))
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", d.host)
	if err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: net.JoinHostPort(d.host, strconv.Itoa(int(d.port)))}
	}
	r := &resolved{at: clock.Now()}
	for _, ip := range ips {
		r.addrs = append(r.addrs, netip.AddrPortFrom(ip.Unmap(), d.port))
	}
	d.last.Store(r)
	return r.addrs, nil
}

// known returns the host's addresses, or nil if the resolver must be asked.
func (d *dialer) known() []netip.AddrPort {
	if r := d.last.Load(); r != nil && (d.literal || clock.Since(r.at) < resolveFor) {
		return r.addrs
	}
	return nil
}

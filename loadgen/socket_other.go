//go:build !linux

package loadgen

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// socket is a TCP connection.
type socket struct {
	*net.TCPConn
	raw syscall.RawConn
}

// dialSocket connects to addr by the deadline.
func dialSocket(ctx context.Context, d *dialer, addr netip.AddrPort, deadline clock.Time) (*socket, error) {
	nd := net.Dialer{KeepAlive: -1, Deadline: time.Now().Add(deadline.Sub(clock.Now()))}
	if d.local.IsValid() {
		nd.LocalAddr = net.TCPAddrFromAddrPort(d.local)
	}
	conn, err := nd.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	if d.buffers > 0 {
		if err := errors.Join(tcp.SetReadBuffer(d.buffers), tcp.SetWriteBuffer(d.buffers)); err != nil {
			tcp.Close()
			return nil, err
		}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return &socket{tcp, raw}, nil
}

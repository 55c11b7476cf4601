package loadgen

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// socket is a TCP connection with fewer system calls than package net makes: it
// asks neither for its own address nor the peer's, and no goroutine watches over
// its connecting. It waits in the runtime's poller as other connections do.
//
// Its calls never block, so they are made without telling the scheduler, which
// costs more than some of them do.
type socket struct {
	file   *os.File
	raw    syscall.RawConn
	remote netip.AddrPort
	addr   sockaddr

	// Arguments and results of what the poller calls, which is made once so that
	// a call allocates nothing.
	buffer  []byte
	n       int
	errno   syscall.Errno
	reading func(fd uintptr) bool
}

type sockaddr struct {
	storage [unix.SizeofSockaddrInet6]byte
	size    uintptr
}

// dialSocket connects to addr by the deadline.
func dialSocket(ctx context.Context, d *dialer, addr netip.AddrPort, deadline clock.Time) (*socket, error) {
	s, err := newSocket(d, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: err}
	}
	if err := s.connect(ctx, deadline); err != nil {
		s.file.Close()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: err}
	}
	return s, nil
}

func newSocket(d *dialer, addr netip.AddrPort) (*socket, error) {
	fd, sa, err := openSocket(d, addr)
	if err != nil {
		return nil, err
	}
	s := &socket{remote: addr, addr: sa, file: os.NewFile(uintptr(fd), "tcp")}
	if s.raw, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return nil, err
	}
	s.reading = func(fd uintptr) bool {
		s.n, s.errno = transfer(unix.SYS_READ, fd, s.buffer)
		return s.errno != unix.EAGAIN
	}
	return s, nil
}

// openSocket makes a socket with d's options and begins to connect it to addr,
// which it also returns as the kernel reads it.
func openSocket(d *dialer, addr netip.AddrPort) (fd int, sa sockaddr, err error) {
	family := sa.set(addr)
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, sa, os.NewSyscallError("socket", err)
	}
	if err := d.prepare(fd); err != nil {
		unix.Close(fd)
		return -1, sa, err
	}
	if errno := sa.connect(uintptr(fd)); errno != 0 && errno != unix.EINPROGRESS && errno != unix.EINTR {
		unix.Close(fd)
		return -1, sa, os.NewSyscallError("connect", errno)
	}
	if addr.Addr().IsLoopback() && sa.isOwn(fd) {
		// No trace of it may keep the server from coming back.
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(fd)
		return -1, sa, os.NewSyscallError("connect", unix.ECONNREFUSED)
	}
	return fd, sa, nil
}

// isOwn tells whether a is fd's own address: where nobody listens on a port, the
// system may give it to whoever connects to it, who then talks to itself (a
// simultaneous open, RFC 9293 §3.5).
func (a *sockaddr) isOwn(fd int) bool {
	var own sockaddr
	own.size = unix.SizeofSockaddrInet6
	size := uint32(own.size)
	_, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&own.storage)), uintptr(unsafe.Pointer(&size)))
	return errno == 0 && bytes.Equal(own.storage[:a.size], a.storage[:a.size])
}

// prepare sets a socket's options.
func (d *dialer) prepare(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if d.buffers > 0 {
		err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, d.buffers),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, d.buffers))
		if err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if d.local.IsValid() {
		// The port is chosen when the peer is known: one port serves many peers.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		var local sockaddr
		local.set(d.local)
		if _, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&local.storage)), local.size); errno != 0 {
			return os.NewSyscallError("bind", errno)
		}
	}
	return nil
}

// connect waits until the connection is there. To a host nearby it is, as soon
// as it was asked for.
func (s *socket) connect(ctx context.Context, deadline clock.Time) error {
	waits := false
	done := func() bool { return s.errno != unix.EALREADY && s.errno != unix.EINPROGRESS }
	join := func(fd uintptr) bool {
		s.errno = s.addr.connect(fd)
		return done() || !waits
	}
	err := s.raw.Write(join)
	if err == nil && !done() {
		if err := s.file.SetDeadline(time.Now().Add(deadline.Sub(clock.Now()))); err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { s.file.Close() })
		defer stop()
		waits = true
		err = s.raw.Write(join)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case s.errno != 0 && s.errno != unix.EISCONN:
		return os.NewSyscallError("connect", s.errno)
	}
	return nil
}

func (a *sockaddr) connect(fd uintptr) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&a.storage)), a.size)
	return errno
}

// set writes addr as the kernel reads it, and returns its family.
func (a *sockaddr) set(addr netip.AddrPort) int {
	port := [2]byte{byte(addr.Port() >> 8), byte(addr.Port())}
	if ip := addr.Addr().Unmap(); ip.Is4() {
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.storage))
		sa.Family, sa.Addr = unix.AF_INET, ip.As4()
		*(*[2]byte)(unsafe.Pointer(&sa.Port)) = port
		a.size = unix.SizeofSockaddrInet4
		return unix.AF_INET
	}
	sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&a.storage))
	sa.Family, sa.Addr, sa.Scope_id = unix.AF_INET6, addr.Addr().As16(), zoneIndex(addr.Addr().Zone())
	*(*[2]byte)(unsafe.Pointer(&sa.Port)) = port
	a.size = unix.SizeofSockaddrInet6
	return unix.AF_INET6
}

func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

func (s *socket) failure(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}

// Read implements net.Conn.
func (s *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	s.buffer = b
	err := s.raw.Read(s.reading)
	s.buffer = nil
	switch {
	case err != nil:
		return 0, s.failure("read", err)
	case s.errno != 0:
		return 0, s.failure("read", os.NewSyscallError("read", s.errno))
	case s.n == 0:
		return 0, io.EOF
	}
	return s.n, nil
}

// Write implements net.Conn.
func (s *socket) Write(b []byte) (int, error) {
	s.buffer, s.n, s.errno = b, 0, 0
	err := s.raw.Write(func(fd uintptr) bool {
		n, errno := transfer(unix.SYS_WRITE, fd, s.buffer[s.n:])
		s.errno = errno
		s.n += n
		return s.n == len(s.buffer) || errno != 0 && errno != unix.EAGAIN
	})
	n := s.n
	s.buffer = nil
	if err == nil && n < len(b) {
		err = os.NewSyscallError("write", s.errno)
	}
	if err != nil {
		return n, s.failure("write", err)
	}
	return n, nil
}

// Close implements net.Conn.
func (s *socket) Close() error { return s.file.Close() }

// LocalAddr implements net.Conn; it is asked for in errors only.
func (s *socket) LocalAddr() net.Addr {
	addr := &net.TCPAddr{}
	_ = s.raw.Control(func(fd uintptr) { addr = localAddr(int(fd)) }) // a closed one has none
	return addr
}

func localAddr(fd int) *net.TCPAddr {
	addr := &net.TCPAddr{}
	switch sa, _ := unix.Getsockname(fd); sa := sa.(type) {
	case *unix.SockaddrInet4:
		addr.IP, addr.Port = sa.Addr[:], sa.Port
	case *unix.SockaddrInet6:
		addr.IP, addr.Port = sa.Addr[:], sa.Port
	}
	return addr
}

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.remote) }

// SetDeadline implements net.Conn.
func (s *socket) SetDeadline(t time.Time) error { return s.file.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (s *socket) SetReadDeadline(t time.Time) error { return s.file.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (s *socket) SetWriteDeadline(t time.Time) error { return s.file.SetWriteDeadline(t) }

// SyscallConn implements syscall.Conn.
func (s *socket) SyscallConn() (syscall.RawConn, error) { return s.raw, nil }

func transfer(call, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

//go:build unix

package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchOver asks a worker whether it lives until it ends, and kills it when it
// has not answered several times in a row.
func (m *master) watchOver(w *worker) {
	l := m.Config.Liveness
	tick := time.NewTicker(l.Interval.Std())
	defer tick.Stop()
	for fails := 0; ; {
		select {
		case <-tick.C:
		case <-w.gone:
			return
		case <-m.done:
			return
		}
		err := m.questionWorker(w)
		if err == nil {
			fails = 0
			continue
		}
		if fails++; fails < l.Fails {
			continue
		}
		fails = 0
		m.post(func() {
			if w.state == Serving { // one that leaves has closed its port
				m.change(w, "worker %d (pid %d) is killed: it hangs, %d times in a row GET %s failed: %s", w.slot.number, w.PID(), l.Fails, l.Path, err)
				m.kill(w)
			}
		})
	}
}

// questionWorker asks once.
func (m *master) questionWorker(w *worker) error {
	deadline := time.Now().Add(m.Config.Liveness.Timeout.Std())
	conn, err := m.dialWorker(w, deadline)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(deadline)
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", m.Config.Liveness.Path); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("no answer within " + m.Config.Liveness.Timeout.String())
	}
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("status %d", r.StatusCode)
	}
	return nil
}

// dialWorker reaches one worker past its dispatch: at its port, or else over a
// pair of sockets of which it gets one.
func (m *master) dialWorker(w *worker, deadline time.Time) (net.Conn, error) {
	var wire *wire
	port := 0
	m.ask(func() {
		if w.member != nil {
			wire, port = w.member.wire, w.member.port
		}
	})
	if m.Config.Dispatch == "proxy" {
		d := net.Dialer{Deadline: deadline}
		return d.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	if wire == nil {
		return nil, errors.New("it has not dialled its master")
	}
	ours, theirs, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	defer unix.Close(theirs)
	f := os.NewFile(uintptr(ours), "probe")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	if err := wire.send(frame{kind: probed}, theirs); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// socketPair returns two connected sockets that children do not inherit.
func socketPair(kind int) (a, b int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("make a pair of sockets: %w", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return fds[0], fds[1], nil
}

// probes is a listener for connections on which the master asks whether this
// worker lives. They need no processor and wait in no line.
type probes chan net.Conn

// add owns fd.
func (p probes) add(fd int) {
	f := os.NewFile(uintptr(fd), "probe")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return // the master sees an end, and counts that
	}
	select {
	case p <- conn:
	default:
		conn.Close()
	}
}

// Accept implements net.Listener.
func (p probes) Accept() (net.Conn, error) { return <-p, nil }

// Close implements net.Listener. Nothing closes it before the process ends.
func (p probes) Close() error { return nil }

// Addr implements net.Listener.
func (p probes) Addr() net.Addr { return &net.UnixAddr{Name: "probe", Net: "unix"} }

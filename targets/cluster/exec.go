//go:build unix

package cluster

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/targets/port"
	"golang.org/x/sys/unix"
)

// listenFDsStart is the first descriptor of socket activation (sd_listen_fds(3)).
const listenFDsStart = 3

// selfVar tells a program where hachaos itself is.
const selfVar = "HACHAOS"

// becomeProgram turns this process, which is about to be a worker, into another
// program. Behind proxy it is told a port; otherwise it gets the listener as
// systemd would pass it, as descriptor 3 with LISTEN_FDS and LISTEN_PID, for
// which it has to be this very process.
func becomeProgram(c workerConfig) error {
	path, err := exec.LookPath(c.Exec[0])
	if err != nil {
		return programError(c.Exec[0], err)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, workerVar+"=") })
	if self, err := os.Executable(); err == nil {
		env = append(env, selfVar+"="+self) // a program that is a cluster itself, say
	}
	if c.Port != 0 {
		env = append(env, c.PortVar+"="+strconv.Itoa(c.Port))
	} else {
		fd, err := unix.FcntlInt(listenerFD, unix.F_DUPFD, listenFDsStart)
		if err == nil && fd != listenFDsStart {
			err = fmt.Errorf("descriptor %d is not free", listenFDsStart)
		}
		if err != nil {
			return fmt.Errorf("pass the listener to %s: %w", c.Exec[0], err)
		}
		unix.CloseOnExec(listenerFD)
		env = append(env, "LISTEN_FDS=1", "LISTEN_PID="+strconv.Itoa(os.Getpid()))
	}
	return fmt.Errorf("start %s: %w", c.Exec[0], syscall.Exec(path, c.Exec, env))
}

// program completes what a worker is told that is another program.
func (m *master) program(c *workerConfig) error {
	c.Exec, c.PortVar = m.Config.Exec, m.Config.PortVar
	if len(c.Exec) == 0 || m.Config.Dispatch != "proxy" {
		return nil
	}
	var err error
	c.Port, err = port.Free()
	return err
}

// connectEvery is the time between two looks whether a program listens.
const connectEvery = 10 * time.Millisecond

// awaitProgram waits until a program takes requests: until it listens on its
// port, or where the kernel keeps its connections for it, until it has lived
// for min_uptime.
func (m *master) awaitProgram(w *worker, port int) {
	every := connectEvery
	if port == 0 {
		every = max(m.Config.Restart.MinUptime.Std(), connectEvery)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-w.gone:
			return
		case <-m.done:
			return
		}
		if port == 0 || listens(port) {
			m.post(func() { m.becameReady(w, port) })
			return
		}
	}
}

func listens(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// terminate asks a program to end (SIGTERM) once it owes nothing, or there is no
// patience: behind proxy it has answered what it had then, since many programs end
// at once when they are asked; with reuseport it has accepted what no other can, if
// it has no successor.
func (m *master) terminate(w *worker, owes func() bool, patience time.Duration) {
	over := time.NewTimer(patience)
	defer over.Stop()
	tick := time.NewTicker(connectEvery)
	defer tick.Stop()
	for owes() {
		select {
		case <-tick.C:
			continue
		case <-w.gone:
			return
		case <-m.done:
		case <-over.C:
		}
		break
	}
	_ = w.Signal(unix.SIGTERM) // it may have ended by itself
}

// took counts that a program has one more request, or one less.
func (m *member) took(n int64) {
	if m.beside != nil {
		m.beside.Add(n)
	}
}

// gave counts an answer of a program.
func (m *member) gave(status int) {
	if m.beside != nil {
		m.entry.Served.Add(1)
		if status >= http.StatusInternalServerError {
			m.entry.Errors.Add(1)
		}
	}
}

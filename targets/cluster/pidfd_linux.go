package cluster

import (
	"bytes"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pidfd holds a process that is no child of this one, so that a signal reaches
// it or nobody, and its end can be waited for.
type pidfd struct {
	file *os.File
	raw  syscall.RawConn
}

func openPidfd(pid int) (*pidfd, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("hold process %d: %w", pid, err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &pidfd{f, raw}, nil
}

// signal returns [os.ErrProcessDone] if the process has ended.
func (p *pidfd) signal(sig syscall.Signal) error {
	var err error
	if cerr := p.raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); cerr != nil {
		return cerr
	}
	if err == unix.ESRCH {
		return os.ErrProcessDone
	}
	return err
}

// wait waits for the end of the process; an error says that close came first.
func (p *pidfd) wait() error {
	return p.raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}

func (p *pidfd) close() { p.file.Close() }

// starved tells whether a process would go on if it got a processor: it is not
// stopped, and one of its threads does not wait.
func starved(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return false
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err != nil {
			continue
		}
		// The state follows the name, which stands in parentheses (proc(5)).
		if end := bytes.LastIndexByte(stat, ')'); end >= 0 && len(stat) > end+2 && (stat[end+2] == 'R' || stat[end+2] == 'D') {
			return true
		}
	}
	return false
}

// standbySupported returns nil: Linux has what a standby needs.
func standbySupported() error { return nil }

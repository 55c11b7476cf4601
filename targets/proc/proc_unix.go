//go:build unix

package proc

import (
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const terminate = syscall.SIGTERM

// signals are those a scenario may send; they mean the same on every Unix.
var signals = map[string]syscall.Signal{
	"SIGABRT": unix.SIGABRT, "SIGALRM": unix.SIGALRM, "SIGBUS": unix.SIGBUS, "SIGCONT": unix.SIGCONT,
	"SIGFPE": unix.SIGFPE, "SIGHUP": unix.SIGHUP, "SIGILL": unix.SIGILL, "SIGINT": unix.SIGINT,
	"SIGKILL": unix.SIGKILL, "SIGPIPE": unix.SIGPIPE, "SIGQUIT": unix.SIGQUIT, "SIGSEGV": unix.SIGSEGV,
	"SIGSTOP": unix.SIGSTOP, "SIGTERM": unix.SIGTERM, "SIGTRAP": unix.SIGTRAP, "SIGUSR1": unix.SIGUSR1,
	"SIGUSR2": unix.SIGUSR2, "SIGWINCH": unix.SIGWINCH,
}

func detach(cmd *exec.Cmd, session bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session, Setpgid: !session}
}

// become lets a process run as another user, without this one's groups.
func become(cmd *exec.Cmd, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return nil
}

func thaw(p *Process) error { return p.Signal(syscall.SIGCONT) }

func exitOf(state *os.ProcessState) Exit {
	e := Exit{Code: state.ExitCode(), CPU: state.UserTime() + state.SystemTime()}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = SignalName(ws.Signal())
	}
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
		e.RSSMax = int64(ru.Maxrss)
		if runtime.GOOS != "darwin" { // which counts bytes, not KiB
			e.RSSMax *= 1024
		}
	}
	return e
}

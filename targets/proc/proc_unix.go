//go:build unix

package proc

import (
	"os"
	"os/exec"
	"runtime"
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

package proc

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// terminate is a kill: Windows has no signal that asks.
var terminate = os.Kill

var signals = map[string]syscall.Signal{"SIGKILL": syscall.SIGKILL}

func detach(cmd *exec.Cmd, _ bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func become(_ *exec.Cmd, name string) error {
	return fmt.Errorf("run as %s: Windows cannot", name)
}

func thaw(*Process) error { return nil }

func exitOf(state *os.ProcessState) Exit {
	return Exit{Code: state.ExitCode(), CPU: state.UserTime() + state.SystemTime()}
}

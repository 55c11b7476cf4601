package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// setExecDefaults lets another program stand behind the proxy, unless it is told
// otherwise: that needs nothing of it but to listen on a port.
func (c *Config) setExecDefaults() {
	if len(c.Exec) > 0 {
		setDefault(&c.Dispatch, "proxy")
	}
}

func (c *Config) checkExec(report func(path, message string)) {
	if len(c.Exec) == 0 {
		return
	}
	if c.Exec[0] == "" {
		report("exec", "exec begins with a program")
	}
	if c.Broadcast != nil {
		report("broadcast", "only the reference application can be told a value: leave broadcast or exec out")
	}
	switch {
	case c.Dispatch == "handoff":
		report("exec", "dispatch handoff gives connections to hachaos's own workers, other programs cannot take them: use dispatch proxy, where each gets a port, or shared or reuseport, where each gets a listener (LISTEN_FDS)")
	case c.Dispatch == "proxy":
	case c.Liveness != nil:
		report("liveness", "with exec it needs dispatch proxy: a program that shares a listener cannot be asked by itself")
	case c.Reload.OnFailure == "rollback":
		report("reload.on_failure", "with exec rollback needs dispatch proxy: a program that shares a listener cannot rest")
	}
}

// checkProgram tells before any worker is started whether there is a program.
func (c *Config) checkProgram() error {
	if len(c.Exec) == 0 {
		return nil
	}
	if _, err := exec.LookPath(c.Exec[0]); err != nil {
		return fmt.Errorf("exec: %w", programError(c.Exec[0], err))
	}
	return nil
}

func programError(name string, err error) error {
	if strings.ContainsRune(name, os.PathSeparator) {
		return fmt.Errorf("start %s: there is no such program", name)
	}
	return fmt.Errorf("start %s: there is no such program in PATH: %w", name, err)
}

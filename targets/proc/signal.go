package proc

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// ParseSignal returns the signal of a name: "SIGUSR2", "USR2" or "usr2". The
// error lists what can be sent on this system.
func ParseSignal(name string) (syscall.Signal, error) {
	full := strings.ToUpper(name)
	if !strings.HasPrefix(full, "SIG") {
		full = "SIG" + full
	}
	if sig, ok := signals[full]; ok {
		return sig, nil
	}
	names := make([]string, 0, len(signals))
	for n := range signals {
		names = append(names, n)
	}
	slices.Sort(names)
	return 0, fmt.Errorf("%q is not a signal (one of %s)", name, strings.Join(names, " "))
}

// SignalName returns the name of a signal: "SIGKILL".
func SignalName(sig syscall.Signal) string {
	for name, s := range signals {
		if s == sig {
			return name
		}
	}
	return fmt.Sprintf("signal %d", int(sig))
}

// Signal sends a signal to the process that id names and to no other: if the
// pid has passed to another process meanwhile, or is free, it returns
// [os.ErrProcessDone].
func Signal(id ID, sig os.Signal) error {
	p, err := Hold(id)
	if err != nil {
		return err
	}
	defer p.Release()
	return p.Signal(sig)
}

// Hold finds the process that id names, for a signal that must be sent at a
// moment: what takes time is done. The error is [os.ErrProcessDone] if that
// process has ended. The caller releases it.
func Hold(id ID) (*os.Process, error) {
	// On Linux this holds the process by descriptor, so that the check below
	// and the signal speak of the same process.
	p, err := os.FindProcess(id.PID)
	if err != nil {
		return nil, os.ErrProcessDone
	}
	now, err := Lookup(id.PID)
	if err == nil && (now.ID != id || now.Zombie) {
		err = os.ErrProcessDone
	}
	if err != nil {
		p.Release()
		return nil, err
	}
	return p, nil
}

// Alive tells whether the process that id names lives. One that cannot be looked at,
// since this process has no descriptor left, say, counts as alive.
func Alive(id ID) bool {
	if id.PID <= 0 {
		return false
	}
	now, err := Lookup(id.PID)
	if err != nil {
		return !errors.Is(err, os.ErrProcessDone)
	}
	return now.ID == id && !now.Zombie
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

//go:build !linux

package proc

import (
	"fmt"
	"os"
	"strings"

	"github.com/shirou/gopsutil/v3/process"
)

// ReadTable reads the process table.
func ReadTable() (Table, error) {
	pids, err := process.Pids()
	if err != nil {
		return nil, fmt.Errorf("read the process table: %w", err)
	}
	table := make(Table, len(pids))
	for _, pid := range pids {
		if info, err := Lookup(int(pid)); err == nil {
			table[int(pid)] = info
		}
	}
	return table, nil
}

// Lookup returns the row of one process, or [os.ErrProcessDone].
func Lookup(pid int) (Info, error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return Info{}, os.ErrProcessDone
	}
	started, err := p.CreateTime()
	if err != nil {
		return Info{}, os.ErrProcessDone
	}
	ppid, err := p.Ppid()
	if err != nil {
		return Info{}, os.ErrProcessDone
	}
	info := Info{ID: ID{PID: pid, Started: started}, PPID: int(ppid), PGID: group(pid)}
	// A name that cannot be read is left empty: nothing is decided by it.
	info.Name, _ = p.Name()
	if status, err := p.Status(); err == nil {
		info.Zombie = len(status) > 0 && status[0] == process.Zombie
	}
	return info, nil
}

// Environ returns the value of a variable in the environment that a process was
// started with; "" if it has none, or may not be looked at.
func Environ(pid int, name string) string {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return ""
	}
	env, err := p.Environ()
	if err != nil {
		return ""
	}
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// Cmdline returns a process's command line, its arguments joined by spaces; ""
// if it has ended.
func Cmdline(pid int) string {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return ""
	}
	line, err := p.Cmdline()
	if err != nil {
		return ""
	}
	return line
}

package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadTable reads the process table. It costs about 10 µs a process.
func ReadTable() (Table, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("read the process table: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("read the process table: %w", err)
	}
	table := make(Table, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if info, err := Lookup(pid); err == nil {
			table[pid] = info
		}
	}
	return table, nil
}

// Lookup returns the row of one process, or [os.ErrProcessDone]. Other errors say
// that it could not be looked at.
func Lookup(pid int) (Info, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return Info{}, os.ErrProcessDone
	case err != nil:
		return Info{}, fmt.Errorf("look at pid %d: %w", pid, err)
	}
	return parseStat(pid, stat)
}

// parseStat reads /proc/PID/stat (proc(5)). The name stands in parentheses and
// may hold spaces and parentheses itself, so the fields count from the last one.
func parseStat(pid int, stat []byte) (Info, error) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return Info{}, os.ErrProcessDone
	}
	fields := strings.Fields(string(stat[end+1:])) // from field 3, the state
	if len(fields) < 20 {
		return Info{}, os.ErrProcessDone
	}
	ppid, err1 := strconv.Atoi(fields[1])
	pgid, err2 := strconv.Atoi(fields[2])
	started, err3 := strconv.ParseInt(fields[19], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return Info{}, os.ErrProcessDone
	}
	return Info{
		ID:     ID{PID: pid, Started: started},
		PPID:   ppid,
		PGID:   pgid,
		Name:   string(stat[open+1 : end]),
		Zombie: fields[0] == "Z" || fields[0] == "X",
	}, nil
}

// Environ returns the value of a variable in the environment that a process was
// started with; "" if it has none, or may not be looked at.
func Environ(pid int, name string) string {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}

// Cmdline returns a process's command line, its arguments joined by spaces; ""
// if it has ended.
func Cmdline(pid int) string {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	return string(bytes.ReplaceAll(bytes.TrimRight(line, "\x00"), []byte{0}, []byte{' '}))
}

package loadgen

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// priorityVar tells a prober's second image what priority the first one got.
const priorityVar = "HACHAOS_PROBE_PRIORITY"

// raisePriority gives every thread of this process the highest priority it may
// have, and returns which. Priority is a thread's own and is inherited by those
// it starts; exec leaves one thread and keeps its priority. So one thread
// raises its own and executes the program again.
func raisePriority() (string, error) {
	if priority, again := os.LookupEnv(priorityVar); again {
		return priority, nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	priority := raiseThread()
	if priority == defaultPriority {
		return priority, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("raise the prober's priority: %w", err)
	}
	env := append(os.Environ(), priorityVar+"="+priority)
	if err := syscall.Exec(self, os.Args, env); err != nil {
		return "", fmt.Errorf("raise the prober's priority: execute %s again: %w", self, err)
	}
	return priority, nil
}

const defaultPriority = "default"

// raiseThread raises the priority of the calling thread: real time if that is
// allowed (CAP_SYS_NICE or RLIMIT_RTPRIO), else the best nice value.
func raiseThread() string {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}
	if unix.SchedSetAttr(0, &attr, 0) == nil {
		return "SCHED_RR 1"
	}
	for nice := -20; nice < 0; nice++ {
		if unix.Setpriority(unix.PRIO_PROCESS, 0, nice) == nil {
			return fmt.Sprintf("nice %d", nice)
		}
	}
	return defaultPriority
}

package loadgen

import (
	"time"

	"golang.org/x/sys/windows"
)

// processCPU returns the processor time this process has used.
func processCPU() time.Duration {
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user) != nil {
		return 0
	}
	// In steps of 100 ns.
	steps := func(f windows.Filetime) int64 { return int64(f.HighDateTime)<<32 | int64(f.LowDateTime) }
	return time.Duration(steps(kernel)+steps(user)) * 100
}

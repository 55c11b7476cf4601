//go:build unix && !linux

package loadgen

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raisePriority gives this process the best nice value it may have, and returns
// which. Here it is the process's, all threads included.
func raisePriority() (string, error) {
	for nice := -20; nice < 0; nice++ {
		if unix.Setpriority(unix.PRIO_PROCESS, 0, nice) == nil {
			return fmt.Sprintf("nice %d", nice), nil
		}
	}
	return "default", nil
}

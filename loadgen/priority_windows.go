package loadgen

import "golang.org/x/sys/windows"

// raisePriority puts this process into the high priority class if it may.
func raisePriority() (string, error) {
	if windows.SetPriorityClass(windows.CurrentProcess(), windows.HIGH_PRIORITY_CLASS) == nil {
		return "high priority class", nil
	}
	return "default", nil
}

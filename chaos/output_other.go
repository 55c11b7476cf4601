//go:build !linux

package chaos

import "os"

// newOutput makes a file without a name, where the system has such: nothing is left
// of it even if this process is killed.
func newOutput() (out *os.File, discard func(), err error) {
	out, err = os.CreateTemp("", "hachaos-exec-")
	if err != nil {
		return nil, nil, err
	}
	_ = os.Remove(out.Name())
	return out, func() {
		out.Close()
		_ = os.Remove(out.Name()) // where a file that is open cannot be removed
	}, nil
}

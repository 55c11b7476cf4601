//go:build unix && !linux

package app

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// rssMax is the peak of resident memory in bytes.
func rssMax() int64 {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" { // which counts bytes, not KiB
		return int64(ru.Maxrss)
	}
	return int64(ru.Maxrss) << 10
}

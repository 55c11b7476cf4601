package app

import (
	"os"

	"github.com/shirou/gopsutil/v3/process"
)

// rssMax is the working set in bytes.
func rssMax() int64 {
	self := process.Process{Pid: int32(os.Getpid())}
	m, err := self.MemoryInfo()
	if err != nil {
		return 0
	}
	return int64(m.RSS)
}

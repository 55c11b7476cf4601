package app

import (
	"bytes"
	"os"
	"strconv"
)

// rssMax is the peak of resident memory in bytes. It is read from /proc and not
// from getrusage, whose maximum includes the parent's memory before exec.
func rssMax() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("\nVmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

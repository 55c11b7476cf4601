package loadgen

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// alarm wakes one goroutine at a moment that others may move. It is a timerfd
// that Go's own poller waits for: exact to the kernel's timer where Go's timers
// are rounded to milliseconds, and unlike a thread in nanosleep it holds no
// processor back from the goroutines that send.
type alarm struct {
	file *os.File
	fd   int
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &alarm{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}, nil
}

// set moves the alarm. A moment in the past is now.
func (a *alarm) set(t clock.Time) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(t)))}
	// It fails only for bad arguments.
	_ = unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME, &spec, nil)
}

// wait waits until the alarm goes off.
func (a *alarm) wait() {
	var expirations [8]byte
	_, _ = a.file.Read(expirations[:])
}

// close must not be called while set may be.
func (a *alarm) close() { a.file.Close() }

package clock

import (
	"sync"
	"syscall"
	"unsafe"
)

var (
	kernel32  = syscall.NewLazyDLL("kernel32.dll")
	counter   = kernel32.NewProc("QueryPerformanceCounter")
	frequency = sync.OnceValue(func() int64 {
		var f int64
		kernel32.NewProc("QueryPerformanceFrequency").Call(uintptr(unsafe.Pointer(&f)))
		return f
	})
)

func system() Time {
	var c int64
	counter.Call(uintptr(unsafe.Pointer(&c)))
	f := frequency()
	// Whole seconds first: ticks times a billion would overflow after days.
	return Time(c/f*1e9 + c%f*1e9/f)
}

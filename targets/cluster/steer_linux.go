package cluster

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	// adRandom is where a classic BPF program finds a random number: SKF_AD_OFF +
	// SKF_AD_RANDOM of linux/filter.h.
	adRandom = 0xfffff000 + 56
	// anyNumber is the number of no listener: the kernel chooses by itself.
	anyNumber = 0xffffffff
)

// steer lets the kernel choose at random among the listeners with these numbers
// on the address of one of them; all may be chosen if none is listed. See
// SO_ATTACH_REUSEPORT_CBPF in socket(7).
func steer(listener *os.File, numbers []int) error {
	var program []unix.SockFilter
	if n := uint32(len(numbers)); n > 0 {
		program = append(program,
			unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: adRandom},
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: n})
	}
	for i, number := range numbers {
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(i), Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: uint32(number)})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: anyNumber})
	raw, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Control(func(fd uintptr) {
		serr = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", serr)
}

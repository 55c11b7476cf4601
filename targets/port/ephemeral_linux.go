package port

import (
	"fmt"
	"os"
)

// ephemeral returns the first and the last port that outgoing connections get.
func ephemeral() (first, last int) {
	first, last = 32768, 60999
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		// What cannot be read leaves the kernel's default.
		_, _ = fmt.Sscan(string(b), &first, &last)
	}
	return first, last
}

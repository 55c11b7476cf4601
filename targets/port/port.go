// Package port chooses TCP ports for servers that will be killed and come
// back. It is a leaf: every other package may import it.
//
// Such a port must lie outside the range that the system gives to outgoing
// connections. While the server is down its clients keep dialling the port, and
// now and then the system would give one of them the very same port as its own:
// the client then talks to itself (a TCP simultaneous open), or some unrelated
// connection holds the port, and the server cannot come back.
package port

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

const (
	lowest   = 10000 // below it well-known services have theirs
	attempts = 200
)

// Listen listens on a TCP address whose port may be 0, in which case a free
// port outside the range of outgoing connections is chosen. The error of a port
// that is taken says so.
func Listen(address string) (*net.TCPListener, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if service != "0" {
		return listen(address)
	}
	low, high := choice(ephemeral())
	for range attempts {
		var ln *net.TCPListener
		ln, err = listen(net.JoinHostPort(host, strconv.Itoa(low+rand.IntN(high-low))))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return ln, err
		}
	}
	return nil, fmt.Errorf("no free port from %d to %d: %w", low, high-1, err)
}

// Free returns a port of 127.0.0.1 that nobody listened on a moment ago.
func Free() (int, error) {
	ln, err := Listen("127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

func listen(address string) (*net.TCPListener, error) {
	var config net.ListenConfig
	// Multipath TCP, Go's default for listeners, costs every connection a layer
	// that nobody here uses.
	config.SetMultipathTCP(false)
	ln, err := config.Listen(context.Background(), "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w (stop what listens there, or choose another port)", address, syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

// choice returns the larger of the spaces below and above the ports from first
// to last, half open; everything there is if they leave no room.
func choice(first, last int) (low, high int) {
	below, above := first-lowest, 1<<16-(last+1)
	switch {
	case below >= above && below > attempts:
		return lowest, first
	case above > attempts:
		return last + 1, 1 << 16
	}
	return lowest, 1 << 16
}

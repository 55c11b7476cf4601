package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/hachaos/hachaos/loadgen/http1"
)

// handshakeError is an error of a TLS handshake.
type handshakeError struct{ error }

func (e handshakeError) Error() string { return "TLS handshake: " + e.error.Error() }
func (e handshakeError) Unwrap() error { return e.error }

// classify says what kind of failure err is.
func classify(err error) Cause {
	var (
		errno     syscall.Errno
		dns       *net.DNSError
		timeout   net.Error
		handshake handshakeError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &dns):
		return CauseDNS
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return CauseTimeout
	}
	if errors.As(err, &errno) {
		if cause, known := errnoCauses[errno]; known {
			return cause
		}
	}
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return CauseTimeout
	case errors.Is(err, http1.ErrProtocol):
		return CauseOther
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return CauseClosed
	case errors.As(err, &handshake), errors.As(err, &alert):
		return CauseTLS
	}
	return CauseOther
}

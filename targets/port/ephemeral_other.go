//go:build !linux

package port

// ephemeral returns the first and the last port that outgoing connections get:
// IANA's dynamic range (RFC 6335), which macOS and Windows keep to.
func ephemeral() (first, last int) { return 49152, 65535 }

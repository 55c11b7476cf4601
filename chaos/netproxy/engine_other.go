//go:build !linux

package netproxy

// newEngine uses goroutines where the package has no loop of its own.
func newEngine(int) (engine, error) { return newPortable(), nil }

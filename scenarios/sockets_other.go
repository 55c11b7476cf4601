//go:build !linux

package scenarios

// memoryFolder is where this user may make files that are in memory alone; "" if
// there is no such folder.
func memoryFolder() string { return "" }

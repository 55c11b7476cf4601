//go:build !linux

package page

import "os"

// inMemory makes a file that has no place on a disk; nil where that cannot be.
func inMemory() (*os.File, error) { return nil, nil }

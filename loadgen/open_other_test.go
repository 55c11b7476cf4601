//go:build !linux

package loadgen

import "errors"

const openVar = "HACHAOS_TEST_OPEN"

func runOpen(string) error { return errors.New("it is measured on Linux only") }

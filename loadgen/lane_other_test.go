//go:build !linux

package loadgen

// newLoopClient makes a client of a loop, which there is on Linux only.
var newLoopClient maker

func playByLoop(e *httpEngine, q *request) outcome { return playByClient(e, q) }

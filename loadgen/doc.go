// Package loadgen sends load at a service and records what came back: closed
// load, in which clients wait for each answer as those of ab do, open load,
// whose requests are due whatever the answers, and the prober, which decides
// what counts as uptime.
//
// It never keeps single requests, never follows redirects, and never blames the
// target for what the generator itself could not do: such failures have a cause
// of their own, and open load records how late it was.
//
// Where the time goes: of a request on a kept connection, against a server on
// another processor, seven tenths are spent in the kernel's read and write, and of
// one on a new connection four fifths in making and ending it. What was worth
// saving was calls: on Linux a socket is made without package net, which asks for
// both addresses and starts a goroutine to watch every connect, and one visit to
// the poller looks at the connection, sends the request and waits for the answer,
// so that no read finds nothing (socket_linux.go). Goroutines, parsing and
// recording share the rest. BenchmarkPeers measures it beside other generators.
//
// Start reading at [Generator], which plays one [Stream] and ends with a
// [Recording]. The two models are in closed.go and dispatch.go, the engine
// behind them in engine.go and client.go, and what is recorded in shard.go. The
// prober is a process of its own: [RunProber] is what it runs, [StartProber] starts
// it, and its probes are folded in probefold.go.
package loadgen

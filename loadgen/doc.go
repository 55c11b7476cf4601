// Package loadgen sends load at a service and records what came back: closed
// load, in which clients wait for each answer as those of ab do, open load,
// whose requests are due whatever the answers, and the prober, which decides
// what counts as uptime.
//
// It never keeps single requests, never follows redirects, and never blames the
// target for what the generator itself could not do: such failures have a cause
// of their own, and open load records how late it was.
//
// Start reading at [Generator], which plays one [Stream] and ends with a
// [Recording]. The two models are in closed.go and dispatch.go, the engine
// behind them in engine.go and client.go, and what is recorded in shard.go. The
// prober is a process of its own: [RunProber] is what it runs, [StartProber] starts
// it, and its probes are folded in probefold.go.
package loadgen

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
// another processor, three quarters are spent in the kernel, nearly all of it in
// write, which on loopback also carries the request to the server's socket, and in
// read; of one on a new connection four fifths, in making and ending it. What was
// worth saving was everything between: on Linux a few loops serve all connections
// (loop_linux.go), each with one goroutine that waits for whatever can be done, so
// that no goroutine is switched to for an answer, no timer is set for a deadline,
// and no call finds nothing but the look at a kept connection before it is used
// again, a twenty-fifth of the whole, which tells a server that has gone from one
// that loses requests. Parsing takes a tenth, recording a twentieth.
// BenchmarkPeers measures it beside other generators.
//
// Start reading at [Generator], which plays one [Stream] and ends with a
// [Recording]. Its two models exist twice: for loops in loopclosed_linux.go and
// loopopen_linux.go, whose connections are the lanes of lane_linux.go; and in
// closed.go and dispatch.go with a goroutine for each connection, behind the
// engines of engine.go, for TLS, HTTP/2, tunnels and other systems. Answers are
// read and judged in reply.go, and recorded in shard.go. The prober is a process
// of its own: [RunProber] is what it runs, [StartProber] starts it, and its probes
// are folded in probefold.go.
package loadgen

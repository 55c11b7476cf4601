// Package netproxy is a TCP proxy that breaks what passes through it.
//
// A [Server] holds several [Proxy]s, each with an address to listen on and an
// upstream. A [Toxic] is a fault on a proxy; toxics are added, changed and
// removed while connections live. [Server.Handler] speaks the HTTP API of
// Toxiproxy 2.12, so that every client of it works unchanged, and [Client]
// speaks it from the other side. What passed and what each toxic did is counted
// ([Proxy.Stats], and /metrics).
//
// A connection without toxics costs two descriptors and no goroutine of its
// own: on Linux one loop reads and writes all connections (loop_linux.go), on
// other systems goroutines do (portable.go). What toxics do to the bytes knows
// neither of them: a flow (flow.go) is one direction of a connection, a chain
// of stages (stage.go), each the work of one toxic, driven by the time that it
// is told. Start reading there; every toxic is one file, and one line in the
// table of kinds in kind.go.
//
// The package never drops, adds or reorders a byte unless a toxic asks for it.
package netproxy

// Package backend provides the dependencies of a target: Redis, PostgreSQL,
// MongoDB, an external API, a TCP server. A [Backend] is started as a real
// server in a folder of the run (local), as a process of hachaos itself on a
// machine without that server (embedded), or is somebody else's (external).
//
// Clients are told the addresses of chaos proxies, one before every node, which
// are made before the nodes start: what a node announces to clients and to the
// other nodes is its proxy's address, never its own. The package does not know
// the proxies: it takes them as [Proxies].
//
// A backend tells of its [Node]s, so that faults can choose victims, and does
// what only the one who runs a server can do: [Backend.Promote], [Backend.Lag],
// [Backend.Fill], [Backend.StopNode]. Start reading at [New]. Each way to
// provide a dependency is an engine, in a file named after it; [Serve] is the
// process behind an embedded one.
//
// Servers never write through to the disk (fsync is off): processes are what
// is killed here, and the system keeps what they wrote. A power cut is not
// simulated.
package backend

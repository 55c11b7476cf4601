// Package store holds the reference application's clients of what it depends
// on: Redis ([Redis]), PostgreSQL ([SQL]), MongoDB ([Mongo]) and an external
// HTTP API ([Payments]).
//
// The client libraries' own retries, timeouts and bounds are switched off as far
// as that goes: whether a call is tried again or given up is what an
// application's protections say (package protect), and without them nothing. A
// store opens no connection before its first call, and none at all if it is
// never called.
package store

import (
	"errors"
	"time"
)

// ErrNone is the answer that there is no such thing. The dependency is sound.
var ErrNone = errors.New("there is none")

// unbounded is how many connections a client may have for which no bound is
// set: more than there are descriptors.
const unbounded = 1 << 16

// Options hold for all stores.
type Options struct {
	Conns   int           // connections at most; 0: no bound
	Timeout time.Duration // to connect, beyond what the call's context says; 0: the library's
}

func (o Options) conns() int {
	if o.Conns > 0 {
		return o.Conns
	}
	return unbounded
}

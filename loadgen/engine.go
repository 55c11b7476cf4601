package loadgen

import (
	"crypto/tls"
	"fmt"
	"net/http"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// engine makes the clients that send requests in one protocol.
type engine interface {
	name() string // as reports give it
	client() client
	// handshake describes the first TLS connection made; nil: none yet.
	handshake() *tls.ConnectionState
}

// client sends one request at a time and is used by one goroutine, but for
// abort.
type client interface {
	// do sends q and fills in o but for its start, all by the deadline.
	do(q *request, deadline clock.Time, o *outcome)
	// abort ends what is being done, and whatever would be done later.
	abort()
	// close gives back the client's connections.
	close()
}

// outcome is what became of one request. It is reused.
type outcome struct {
	start, done clock.Time // start: when it was due (open) or begun (closed)
	sent        clock.Time // when its sending began
	cause       Cause
	status      int // 0 without a whole answer
	degraded    bool
	retried     bool
	in, out     int64 // bytes
	body        int64 // of them of the answer's body
	kept        bool  // the connection stays open

	// Only if somebody observes.
	connected clock.Time // a new connection was ready; 0 on a kept one
	written   clock.Time // the request had been written
	first     clock.Time // the answer's first byte was there
	server    []byte     // value of Server, valid until the next request

	worker []byte // value of X-Worker, valid until the next request
	err    error  // what went wrong, unless a status tells
	q      *request
}

// begin forgets the last request, but for its times.
func (o *outcome) begin(q *request) {
	*o = outcome{start: o.start, sent: o.sent, q: q}
}

// end notes when the request ended, and the error it ended with, if any.
func (o *outcome) end(err error) {
	o.done = clock.Now()
	if err != nil {
		o.status, o.err = 0, err
		o.cause = classify(err)
	}
}

// explain says in words why the request failed.
func (o *outcome) explain() string {
	switch {
	case o.cause == CauseStatus:
		return fmt.Sprintf("%d %s", o.status, http.StatusText(o.status))
	case o.cause == CauseExpectation:
		return fmt.Sprintf("the body of the answer (%d) does not contain %q", o.status, o.q.body)
	case o.err != nil:
		return o.err.Error()
	}
	return o.cause.String()
}

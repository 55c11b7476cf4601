package loadgen

import "fmt"

// Cause says why a request failed. The zero Cause is none: it was answered
// well. Every package and every format names causes by this table.
type Cause uint8

const (
	CauseNone        Cause = iota
	CauseRefused           // the connection was refused (ECONNREFUSED), or no route to it
	CauseReset             // the peer reset the connection (ECONNRESET, EPIPE)
	CauseClosed            // the peer closed the connection before the whole answer
	CauseTimeout           // no whole answer within the timeout
	CauseTLS               // the TLS handshake failed
	CauseDNS               // the host's name did not resolve
	CauseStatus            // the status is none of those expected
	CauseExpectation       // the status was right, the answer's content not
	CauseGenerator         // the generator's own limit: descriptors, ports, buffers
	CauseOther             // anything else: a malformed answer, say
	NumCauses
)

var causeNames = [NumCauses]string{"", "refused", "reset", "closed", "timeout", "tls", "dns", "status", "expectation", "generator", "other"}

// String returns the name used in reports: "refused", "reset" and so on; ""
// for CauseNone.
func (c Cause) String() string {
	if c < NumCauses {
		return causeNames[c]
	}
	return fmt.Sprintf("Cause(%d)", uint8(c))
}

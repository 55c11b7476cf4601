// Package note lets any process of a run tell the run's report what happened in
// it: a breaker that opened, a queue that emptied. It is a leaf: every other
// package may import it.
//
// The environment variable [Var] names where to: the path of a Unix datagram
// socket, or, on systems that have none, host:port of a UDP socket on the
// loopback interface. One datagram is one [Event] in JSON, so that a program in
// any language can tell too:
//
//	printf '{"source":"db","what":"breaker opens"}' | socat - UNIX-SENDTO:"$HACHAOS_EVENTS"
//
// A process tells with a [Sender], the runner hears with a [Listener], which
// also says when: at the time of arrival, since clocks of other languages count
// from elsewhere.
package note

import (
	"strings"
	"unicode"
)

// Var is the environment variable that says where events go. Without it nobody
// wants to know.
const Var = "HACHAOS_EVENTS"

// Limits of what is heard of one event, in characters. The rest is cut off.
const (
	maxSource = 60
	maxWhat   = 300
)

// Event is what happened, in one line each.
type Event struct {
	Source string `json:"source"` // what it happened to: "redis", "payments"
	What   string `json:"what"`   // such as "breaker opens after 5 failures"
}

// line makes s one line of at most limit characters.
func line(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}

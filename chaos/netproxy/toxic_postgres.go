package netproxy

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// PostgresFault refuses connections to PostgreSQL as the server does, cuts them
// in the middle of a transaction, or delays chosen queries. It acts on both
// directions, whatever its stream.
//
// It must read what passes, so it answers a client's request for encryption
// with no, as a server without it does: a client that insists on TLS cannot
// connect while the toxic is there. A connection that is encrypted already
// passes untouched, and a statement that was prepared before the toxic came
// matches nothing but an empty match.
//
// Connections of replication are not among those that can be too many (53300).
type PostgresFault struct {
	Error       string  `json:"error"`       // SQLSTATE of a FATAL error at start-up: 53300 (too many connections), 57P03 (starting up), or any
	Message     string  `json:"message"`     // of that error; "" is the server's own wording
	Match       string  `json:"match"`       // a regular expression that is found in the query; "": all
	Delay       int64   `json:"delay"`       // milliseconds, of matching queries
	Jitter      int64   `json:"jitter"`      // ± milliseconds
	Cut         bool    `json:"cut"`         // reset the connection at a matching query inside a transaction
	Probability float64 `json:"probability"` // for each connection refused and each query hit; default 1

	match pattern
}

// pgMessages are the server's own words for errors at start-up.
var pgMessages = map[string]string{
	"53300": "sorry, too many clients already",
	"57P03": "the database system is starting up",
	"57P01": "terminating connection due to administrator command",
	"28P01": "password authentication failed",
}

func (a *PostgresFault) check() error {
	switch {
	case a.Error == "" && a.Delay == 0 && a.Jitter == 0 && !a.Cut:
		return errors.New("neither an error nor a delay nor a cut is given")
	case a.Error != "" && !sqlState(a.Error):
		return fmt.Errorf("error %q: an SQLSTATE has five digits or capitals", a.Error)
	}
	return errors.Join(
		share("probability", a.Probability),
		notNegative("delay", a.Delay), notNegative("jitter", a.Jitter),
		a.match.compile(a.Match),
	)
}

func sqlState(code string) bool {
	for _, c := range code {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(code) == 5
}

// Codes that stand where a client's first messages have the protocol's version.
const (
	pgCancel = 80877102
	pgTLS    = 80877103
	pgGSS    = 80877104
)

// statements is how many prepared statements are remembered of a connection.
const statements = 10_000

// pgState is what is known of a connection.
type pgState struct {
	exchange
	begun    bool
	over     bool // it was refused or cut
	request  pgFramer
	kept     []byte // of a message whose fate is not decided
	decided  bool
	response pgFramer
	prepared map[string]pgStatement
	portals  map[string]pgStatement
	block    pgTransaction
}

func (a *PostgresFault) start(s *stage, _ time.Duration) {
	st := shared[pgState](s)
	if !st.begun {
		st.begun = true
		st.request = pgFramer{types: frontendTypes, untyped: !s.midway}
		st.response = pgFramer{types: backendTypes}
		st.prepared, st.portals = map[string]pgStatement{}, map[string]pgStatement{}
	}
}

func (a *PostgresFault) take(s *stage, c chunk) {
	st := shared[pgState](s)
	switch {
	case st.over && c.mark == data:
	case c.mark != data || st.opaque:
		a.leave(s, c.at)
		s.pass(c, c.at)
	case s.dir == Upstream:
		a.requests(s, st, c)
	default:
		a.responses(s, st, c)
	}
}

func (a *PostgresFault) leave(s *stage, now time.Duration) {
	st := shared[pgState](s)
	if !st.over {
		st.release(upper(s), st.kept, now)
	}
	st.kept = nil
}

func (a *PostgresFault) requests(s *stage, st *pgState, c chunk) {
	for b := c.bytes; len(b) > 0 && !st.over; {
		if st.opaque {
			s.pass(chunk{bytes: b, at: c.at}, c.at)
			return
		}
		n, complete, err := st.request.feed(b)
		part := b[:n:n]
		b = b[n:]
		if err != nil {
			if st.decided {
				s.pass(chunk{bytes: part, at: c.at}, c.at)
			} else {
				st.kept = append(st.kept, part...)
			}
			a.leave(s, c.at)
			continue
		}
		if st.decided {
			s.pass(chunk{bytes: part, at: c.at}, c.at)
		} else if st.kept = append(st.kept, part...); complete || st.request.full() {
			st.decided = true
			message := st.kept
			st.kept = nil
			a.decide(s, st, message, c.at)
		}
		if complete {
			st.decided = false
		}
	}
}

// decide does what the fault wants with a message that has come.
func (a *PostgresFault) decide(s *stage, st *pgState, message []byte, at time.Duration) {
	if st.request.untyped {
		a.startUp(s, st, message, at)
		return
	}
	due := at
	query, isQuery := a.query(st)
	cut := a.Cut && st.block.inside()
	if isQuery && query.matches && (a.Delay > 0 || a.Jitter > 0 || cut) && s.rng.Float64() < a.Probability {
		s.count(len(message))
		due += spread(s, a.Delay, a.Jitter)
		if cut {
			st.over = true
			s.pass(chunk{mark: reset, at: at}, due)
			return
		}
	}
	st.block.sent(st.request.kind(), query.turns)
	s.pass(chunk{bytes: message, at: at}, due)
}

// startUp handles what a client says before it is connected.
func (a *PostgresFault) startUp(s *stage, st *pgState, message []byte, at time.Duration) {
	code := uint32(0)
	if len(st.request.body) >= 4 {
		code = binary.BigEndian.Uint32(st.request.body)
	}
	switch code {
	case pgTLS, pgGSS:
		s.peer.pass(chunk{bytes: []byte{'N'}, at: at}, at)
		return
	case pgCancel:
		st.kept = message
		a.leave(s, at)
		return
	}
	if code>>16 != 3 {
		st.kept = message
		a.leave(s, at)
		return
	}
	refuses := a.Error != "" && !(a.Error == "53300" && replicates(st.request.body[4:]))
	if refuses && s.rng.Float64() < a.Probability {
		s.count(len(message))
		text := cmp.Or(a.Message, pgMessages[a.Error], "the server refuses the connection")
		st.over = true
		s.peer.pass(chunk{bytes: pgError(a.Error, text), at: at}, at)
		s.peer.pass(chunk{mark: cut, at: at}, at)
		return
	}
	st.request = pgFramer{types: frontendTypes}
	s.pass(chunk{bytes: message, at: at}, at)
}

// query returns the statement that the message runs, if it runs one. What is run
// may have been named by messages before.
func (a *PostgresFault) query(st *pgState) (query pgStatement, isQuery bool) {
	body := st.request.body
	switch st.request.kind() {
	case 'Q':
		text, _ := cstring(body)
		return a.statement(text), true
	case 'P': // Parse: a name, the text
		name, rest := cstring(body)
		text, _ := cstring(rest)
		remember(st.prepared, name, a.statement(text))
	case 'B': // Bind: a portal, a statement
		portal, rest := cstring(body)
		name, _ := cstring(rest)
		known, ok := st.prepared[string(name)]
		if !ok {
			known.matches = a.Match == ""
		}
		remember(st.portals, portal, known)
	case 'E': // Execute: a portal
		portal, _ := cstring(body)
		return st.portals[string(portal)], true
	case 'C': // Close: a statement or a portal, a name
		if len(body) > 1 {
			name, _ := cstring(body[1:])
			if body[0] == 'S' {
				delete(st.prepared, string(name))
			} else {
				delete(st.portals, string(name))
			}
		}
	}
	return pgStatement{}, false
}

func (a *PostgresFault) statement(text []byte) pgStatement {
	return pgStatement{matches: a.match.matches(text), turns: turns(text)}
}

func remember(known map[string]pgStatement, name []byte, query pgStatement) {
	if _, ok := known[string(name)]; ok || len(known) < statements {
		known[string(name)] = query
	}
}

func (a *PostgresFault) responses(s *stage, st *pgState, c chunk) {
	s.pass(c, c.at)
	for b := c.bytes; len(b) > 0 && !st.opaque; {
		n, complete, err := st.response.feed(b)
		b = b[n:]
		if err != nil {
			a.leave(s, c.at)
		} else if complete && st.response.kind() == 'Z' && len(st.response.body) == 1 {
			st.block.answered(st.response.body[0])
		}
	}
}

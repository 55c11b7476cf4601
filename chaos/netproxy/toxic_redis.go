package netproxy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

// RedisFault answers chosen commands of Redis with an error in place of the
// server, which never sees them, or delays them. It acts on both directions,
// whatever its stream. An error inside a transaction lets EXEC fail, as the
// server's own errors do, and one in place of EXEC discards the transaction. A
// connection that goes over to a protocol without request and answer
// (SUBSCRIBE, MONITOR, PSYNC, CLIENT REPLY), or that is not Redis's, passes
// untouched from then on.
type RedisFault struct {
	Commands    Names   `json:"commands"`    // such as ["GET", "SET"]; none: all
	Error       string  `json:"error"`       // LOADING, READONLY, OOM, CLUSTERDOWN, MOVED, or any whole error
	Moved       string  `json:"moved"`       // with MOVED: the address to go to
	Delay       int64   `json:"delay"`       // milliseconds
	Jitter      int64   `json:"jitter"`      // ± milliseconds
	Probability float64 `json:"probability"` // for each command; default 1
}

// redisErrors are the errors as Redis words them.
var redisErrors = map[string]string{
	"LOADING":     "LOADING Redis is loading the dataset in memory",
	"READONLY":    "READONLY You can't write against a read only replica.",
	"OOM":         "OOM command not allowed when used memory > 'maxmemory'.",
	"CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
}

func (a *RedisFault) check() error {
	switch {
	case a.Error == "" && a.Delay == 0 && a.Jitter == 0:
		return errors.New("neither an error nor a delay is given")
	case strings.ContainsAny(a.Error+a.Moved, "\r\n"):
		return errors.New("an error is one line")
	case (a.Error == "MOVED") != (a.Moved != ""):
		return errors.New("the error MOVED and the address moved go together")
	}
	if err := share("probability", a.Probability); err != nil {
		return err
	}
	return errors.Join(notNegative("delay", a.Delay), notNegative("jitter", a.Jitter))
}

// redisState is what is known of a connection to Redis.
type redisState struct {
	exchange
	request   respReader
	undecided []byte // of a command whose name has not come yet
	decided   bool
	ours      bool // the command is answered here
	reply     respReader

	multi    bool   // a transaction is being queued
	replaced bool   // the server was sent something else in the command's place
	unwanted []byte // of its answer to that
}

// What a server is sent in place of a command of a transaction, so that it
// knows of the failure: a wrong command lets EXEC fail.
const (
	wrongCommand   = "*1\r\n$3\r\nGET\r\n"
	discardCommand = "*1\r\n$7\r\nDISCARD\r\n"
)

func (a *RedisFault) take(s *stage, c chunk) {
	st := shared[redisState](s)
	switch {
	case c.mark != data || st.opaque:
		a.leave(s, c.at)
		s.pass(c, c.at)
	case s.dir == Upstream:
		a.commands(s, st, c)
	default:
		a.replies(s, st, c)
	}
}

func (a *RedisFault) leave(s *stage, now time.Duration) {
	st := shared[redisState](s)
	st.release(upper(s), st.undecided, now)
	st.undecided = nil
}

func (a *RedisFault) commands(s *stage, st *redisState, c chunk) {
	st.request.commands = true
	for b := c.bytes; len(b) > 0; {
		if st.opaque {
			s.pass(chunk{bytes: b, at: c.at}, c.at)
			return
		}
		if st.waiting {
			st.backlog = append(st.backlog, b...)
			return
		}
		n, complete, err := st.request.feed(b)
		part := b[:n:n]
		b = b[n:]
		if err != nil {
			st.undecided = append(st.undecided, part...)
			a.leave(s, c.at)
			continue
		}
		switch {
		case st.ours:
			st.swallow(part)
		case st.decided:
			s.pass(chunk{bytes: part, at: c.at}, c.at)
		default:
			st.undecided = append(st.undecided, part...)
			if complete || st.request.known() {
				a.decide(s, st, c.at)
			}
		}
		if complete && !st.opaque {
			if st.ours {
				st.exchange.reply(s, a.answer(st.request.name(), st.request.key()), c.at+spread(s, a.Delay, a.Jitter), false)
			}
			st.decided, st.ours = false, false
		}
	}
}

// decide does what the fault wants with a command whose name has come.
func (a *RedisFault) decide(s *stage, st *redisState, at time.Duration) {
	name := st.request.name()
	if endsExchange(name, st.request.key()) {
		a.leave(s, at)
		return
	}
	part := st.undecided
	st.undecided, st.decided = nil, true
	hit := name != "" && a.Commands.matches(name) && s.rng.Float64() < a.Probability
	if hit {
		s.count(len(part))
	}
	// DISCARD is never refused: the transaction would go on without its client.
	if hit && a.Error != "" && name != "DISCARD" {
		st.ours = true
		if !a.replace(s, st, name, at) {
			st.swallow(part)
		}
		return
	}
	switch name {
	case "MULTI":
		st.multi = true
	case "EXEC", "DISCARD", "RESET":
		st.multi = false
	}
	due := at
	if hit {
		due += spread(s, a.Delay, a.Jitter)
	}
	if name != "" { // an empty command is not answered
		st.outstanding++
	}
	s.pass(chunk{bytes: part, at: at}, due)
}

// replace sends the server another command in place of one that belongs to a
// transaction, and tells whether it did. The answer to that is for nobody.
func (a *RedisFault) replace(s *stage, st *redisState, name string, at time.Duration) bool {
	instead := wrongCommand
	if name == "EXEC" {
		instead, st.multi = discardCommand, false
	} else if !st.multi {
		return false
	}
	st.lossy, st.replaced = true, true // the command is not there to be passed on later
	st.outstanding++
	s.pass(chunk{bytes: []byte(instead), at: at}, at)
	return true
}

// endsExchange tells whether there is not one answer to each command after it.
func endsExchange(name string, argument []byte) bool {
	switch name {
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "SYNC", "PSYNC":
		return true
	}
	return name == "CLIENT" && bytes.EqualFold(argument, []byte("REPLY"))
}

func (a *RedisFault) answer(name string, key []byte) []byte {
	text := a.Error
	if known := redisErrors[text]; known != "" {
		text = known
	}
	if text == "MOVED" {
		text = fmt.Sprintf("MOVED %d %s", hashSlot(key), a.Moved)
	}
	if name == "EXEC" {
		text = "EXECABORT Transaction discarded because of: " + text
	}
	return []byte("-" + text + "\r\n")
}

func (a *RedisFault) replies(s *stage, st *redisState, c chunk) {
	for b := c.bytes; len(b) > 0; {
		n, complete, err := st.reply.feed(b)
		if err != nil {
			n = len(b)
		}
		part := b[:n:n]
		b = b[n:]
		push := st.reply.kind == '>' // it answers nothing
		if st.replaced && st.outstanding == 1 {
			part = st.withhold(part, complete, err != nil || complete && push)
		}
		if len(part) > 0 {
			s.pass(chunk{bytes: part, at: c.at}, c.at)
		}
		switch {
		case err != nil:
			a.leave(s, c.at)
		case complete && !push:
			if backlog := st.answered(s, c.at); len(backlog) > 0 {
				s.peer.take(chunk{bytes: backlog, at: c.at})
			}
		}
	}
}

// withhold keeps back the answer to a command that took another's place. What
// turns out to be something else is returned.
func (st *redisState) withhold(part []byte, complete, wanted bool) []byte {
	st.unwanted = append(st.unwanted, part...)
	part = nil
	if wanted {
		part, st.unwanted = st.unwanted, nil
	} else if complete {
		st.unwanted, st.replaced = nil, false
	}
	return part
}

// hashSlot returns the hash slot of a key in a Redis cluster: CRC16 (XMODEM) of the
// key, or of its hash tag, modulo 16384.
func hashSlot(key []byte) int {
	if open := bytes.IndexByte(key, '{'); open >= 0 {
		if length := bytes.IndexByte(key[open+1:], '}'); length > 0 {
			key = key[open+1 : open+1+length]
		}
	}
	crc := uint16(0)
	for _, b := range key {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc & 0x3fff)
}

package netproxy

import (
	"bytes"
	"strings"
)

// pgStatement is what matters of a statement of PostgreSQL.
type pgStatement struct {
	matches bool
	turns   byte // the state that it puts a connection into: T, I, or 0 for none
}

// turns tells whether a statement begins or ends a transaction, as far as its
// first words say.
func turns(text []byte) byte {
	words := bytes.Fields(text[:min(len(text), 64)])
	word := func(i int) string {
		if i >= len(words) {
			return ""
		}
		return strings.ToUpper(string(bytes.TrimRight(words[i], ";")))
	}
	switch word(0) {
	case "BEGIN":
		return 'T'
	case "START":
		if word(1) == "TRANSACTION" {
			return 'T'
		}
	case "COMMIT", "END", "ABORT":
		return 'I'
	case "ROLLBACK":
		if word(1) != "TO" {
			return 'I'
		}
	}
	return 0
}

// pgTransaction knows whether a connection is inside a transaction. The server
// says so when it is ready for the next query; a client that does not wait for
// that is believed until then.
type pgTransaction struct {
	status  byte // of the last ReadyForQuery: I, T or E; 0: not known
	asked   int  // ReadyForQuery that are to come
	assumed byte // the state that a statement on its way will lead to
	until   int  // asked when that is the server's word
}

func (t *pgTransaction) inside() bool {
	if t.assumed != 0 {
		return t.assumed == 'T'
	}
	return t.status == 'T'
}

// sent notes a message to the server, and the state that its query leads to.
func (t *pgTransaction) sent(kind, turns byte) {
	if turns != 0 {
		// A simple query is answered by itself, an extended one at its Sync.
		t.assumed, t.until = turns, t.asked+1
	}
	if kind == 'Q' || kind == 'S' || kind == 'F' {
		t.asked++
	}
}

// answered notes a ReadyForQuery.
func (t *pgTransaction) answered(status byte) {
	t.status = status
	t.asked = max(t.asked-1, 0)
	if t.until--; t.until <= 0 {
		t.assumed, t.until = 0, 0
	}
}

// replicates tells whether the parameters of a client that begins ask for
// replication.
func replicates(parameters []byte) bool {
	for len(parameters) > 0 {
		var name, value []byte
		name, parameters = cstring(parameters)
		value, parameters = cstring(parameters)
		if string(name) == "replication" {
			switch strings.ToLower(string(value)) {
			case "", "0", "false", "no", "off":
				return false
			}
			return true
		}
	}
	return false
}

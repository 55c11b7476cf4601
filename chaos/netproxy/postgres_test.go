package netproxy

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

func pg(kind byte, body string) string {
	return string(kind) + pgUntyped(body)
}

func pgUntyped(body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

var (
	pgTLSRequest = pgUntyped("\x04\xd2\x16\x2f")
	pgStart      = pgUntyped("\x00\x03\x00\x00user\x00me\x00\x00")
)

func TestPostgresRefusesAtStartUp(t *testing.T) {
	for code, text := range map[string]string{"53300": "sorry, too many clients already", "57P03": "the database system is starting up"} {
		for _, size := range []int{1, 1000} {
			b := newBench(t, 1, 1)
			b.add(Upstream, &PostgresFault{Error: code, Probability: 1}, 1)
			for rest := pgTLSRequest + pgStart; rest != ""; {
				n := min(size, len(rest))
				b.send(Upstream, rest[:n])
				rest = rest[n:]
			}
			b.expect(Upstream, 0, "")
			b.expect(Downstream, 0, "N"+pg('E', "SFATAL\x00VFATAL\x00C"+code+"\x00M"+text+"\x00\x00")+"<cut>")
		}
	}
}

func TestPostgresDelaysMatchingQueries(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &PostgresFault{Match: "(?i)from orders", Delay: 30, Probability: 1}, 1)
	now := time.Duration(0)
	passes := func(delay time.Duration, messages ...string) {
		t.Helper()
		text := strings.Join(messages, "")
		b.send(Upstream, text)
		if delay > 0 {
			if got := b.arrived(Upstream, now+delay-1); len(got) >= len(text) {
				t.Errorf("%q was not delayed", text)
			}
			now += delay
			b.arrived(Upstream, now)
		} else {
			b.expect(Upstream, now, text)
		}
	}
	passes(0, pgTLSRequest[:0], pgStart)
	passes(0, pg('Q', "select 1\x00"))
	passes(30*ms, pg('Q', "SELECT * FROM orders\x00"))
	passes(0, pg('P', "s1\x00select id from orders where id=$1\x00\x00\x00"), pg('S', ""))
	passes(30*ms, pg('B', "\x00s1\x00\x00\x00\x00\x00\x00\x00"), pg('E', "\x00\x00\x00\x00\x00"), pg('S', ""))
	passes(30*ms, pg('B', "\x00s1\x00\x00\x00\x00\x00\x00\x00"), pg('E', "\x00\x00\x00\x00\x00"), pg('S', ""))
	passes(0, pg('P', "\x00select 1\x00\x00\x00"), pg('B', "\x00\x00\x00\x00\x00\x00\x00\x00"), pg('E', "\x00\x00\x00\x00\x00"))
	passes(0, pg('d', strings.Repeat("copy", 100_000)))
}

func TestPostgresCutsInTheMiddleOfATransaction(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &PostgresFault{Match: "update", Cut: true, Probability: 1}, 1)
	b.send(Upstream, pgStart)
	b.send(Downstream, pg('R', "\x00\x00\x00\x00")+pg('Z', "I"))
	b.send(Upstream, pg('Q', "update a\x00")+pg('Q', "begin\x00"))
	b.send(Downstream, pg('C', "BEGIN\x00")+pg('Z', "T"))
	b.send(Upstream, pg('Q', "select 1\x00"))
	b.expect(Upstream, 0, pgStart+pg('Q', "update a\x00")+pg('Q', "begin\x00")+pg('Q', "select 1\x00"))
	b.send(Upstream, pg('Q', "update b\x00")+pg('Q', "commit\x00"))
	b.expect(Upstream, 0, "<reset>")
}

func TestPostgresAlreadyEncryptedPasses(t *testing.T) {
	b := newBench(t, 1, 1)
	b.flows[Upstream].begun = true
	b.add(Upstream, &PostgresFault{Error: "53300", Cut: true, Probability: 1}, 1)
	b.send(Upstream, "\x17\x03\x03\x00\x20 records")
	b.expect(Upstream, 0, "\x17\x03\x03\x00\x20 records")
}

// Drivers send the beginning of a transaction together with its first query.
func TestPostgresCutsATransactionThatWasJustBegun(t *testing.T) {
	extended := func(name, query string) string {
		return pg('P', name+"\x00"+query+"\x00\x00\x00") + pg('B', "\x00"+name+"\x00\x00\x00\x00\x00\x00\x00") + pg('E', "\x00\x00\x00\x00\x00")
	}
	sync := pg('S', "")
	for _, c := range []struct {
		passed, cut string
	}{
		{extended("", "BEGIN") + extended("", "select 1"), extended("s", "update a")},
		{pg('Q', "select 1\x00") + pg('Q', "start transaction read write\x00"), pg('Q', "update a\x00")},
		{extended("", "begin") + sync + pg('Q', "rollback to x\x00"), pg('Q', "update a\x00")},
		{extended("", "begin;") + sync + extended("", "commit") + extended("", "update a") + sync + pg('Q', "end\x00") + pg('Q', "start over\x00") + pg('Q', "update a\x00"), ""},
	} {
		b := newBench(t, 1, 1)
		b.add(Upstream, &PostgresFault{Match: "update", Cut: true, Probability: 1}, 1)
		b.send(Upstream, pgStart)
		b.send(Downstream, pg('Z', "I"))
		b.send(Upstream, c.passed+c.cut)
		want := pgStart + c.passed
		if c.cut != "" {
			// Not all of its messages run it.
			run := strings.LastIndexAny(c.cut, "EQ")
			want += c.cut[:run] + "<reset>"
		}
		b.expect(Upstream, 0, want)
	}
}

// What the server says goes above what was assumed.
func TestPostgresTransactionsEndAsTheServerSays(t *testing.T) {
	var x pgTransaction
	x.sent('Q', 0)
	x.sent('Q', 'T')
	x.answered('I')
	if !x.inside() {
		t.Error("the answer to the query before ends the transaction")
	}
	x.answered('E')
	if x.inside() {
		t.Error("a transaction that failed to begin goes on")
	}
	x.answered('T')
	x.answered('T')
	x.sent('E', 'I')
	if x.inside() {
		t.Error("a transaction goes on after its commit")
	}
	x.sent('S', 0)
	if x.answered('T'); !x.inside() {
		t.Error("a commit that failed ends the transaction")
	}
}

func TestPostgresReplicasAreNotTooMany(t *testing.T) {
	start := func(parameters string) string { return pgUntyped("\x00\x03\x00\x00" + parameters + "\x00") }
	for _, c := range []struct {
		code, parameters string
		passes           bool
	}{
		{"53300", "user\x00me\x00replication\x00true\x00", true},
		{"53300", "replication\x00database\x00user\x00me\x00", true},
		{"53300", "replication\x00off\x00user\x00me\x00", false},
		{"53300", "user\x00replication\x00", false},
		{"57P03", "user\x00me\x00replication\x00true\x00", false},
	} {
		b := newBench(t, 1, 1)
		b.add(Upstream, &PostgresFault{Error: c.code, Probability: 1}, 1)
		b.send(Upstream, start(c.parameters))
		if passed := b.arrived(Upstream, 0) != ""; passed != c.passes {
			t.Errorf("%+v: passed %v", c, passed)
		}
	}
}

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

package netproxy

import (
	"fmt"
	"strings"
	"testing"
)

func resp(words ...string) string {
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, w := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
	}
	return text
}

func TestRedisErrors(t *testing.T) {
	for _, c := range []struct {
		fault   RedisFault
		command string
		answer  string // "": it passes
	}{
		{RedisFault{Error: "LOADING"}, resp("GET", "a"), "-LOADING Redis is loading the dataset in memory\r\n"},
		{RedisFault{Error: "READONLY", Commands: Names{"set", "del"}}, resp("SET", "a", "1"), "-READONLY You can't write against a read only replica.\r\n"},
		{RedisFault{Error: "READONLY", Commands: Names{"set", "del"}}, resp("GET", "a"), ""},
		{RedisFault{Error: "OOM"}, resp("PING"), "-OOM command not allowed when used memory > 'maxmemory'.\r\n"},
		{RedisFault{Error: "CLUSTERDOWN"}, "PING\r\n", "-CLUSTERDOWN The cluster is down\r\n"},
		{RedisFault{Error: "MOVED", Moved: "10.0.0.1:6379"}, resp("GET", "foo"), "-MOVED 12182 10.0.0.1:6379\r\n"},
		{RedisFault{Error: "MOVED", Moved: "10.0.0.1:6379"}, resp("GET", "{foo}bar"), "-MOVED 12182 10.0.0.1:6379\r\n"},
		{RedisFault{Error: "ERR broken"}, resp("SET", "a", strings.Repeat("x", 100_000)), "-ERR broken\r\n"},
		{RedisFault{Error: "LOADING"}, "\r\n", ""},
	} {
		c.fault.Probability = 1
		for _, size := range []int{1, 7, 1 << 20} {
			b := newBench(t, 1, 1)
			b.add(Downstream, &c.fault, 1)
			// A command before it, whose answer must come first.
			b.send(Upstream, resp("SUBSTR", "k"))
			first := b.arrived(Upstream, 0)
			for rest := c.command; rest != ""; {
				n := min(size, len(rest))
				b.send(Upstream, rest[:n])
				rest = rest[n:]
			}
			if first != "" { // the fault does not mean that command
				b.expect(Downstream, 0, "")
				b.send(Downstream, "$3\r\nold\r\n")
				b.expect(Downstream, 0, "$3\r\nold\r\n"+c.answer)
			} else {
				b.arrived(Downstream, 0)
				continue
			}
			if got := b.arrived(Upstream, 0); (got == c.command) != (c.answer == "") {
				t.Errorf("%+v: upstream got %.40q", c.fault, got)
			}
		}
		b := newBench(t, 1, 1)
		b.add(Upstream, &c.fault, 1)
		b.send(Upstream, c.command)
		b.expect(Downstream, 0, c.answer)
		if c.answer == "" {
			b.expect(Upstream, 0, c.command)
		}
	}
}

func TestRedisDelaysOnlySomeCommands(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &RedisFault{Commands: Names{"GET"}, Delay: 50, Probability: 1}, 1)
	b.send(Upstream, resp("SET", "a", "1"))
	b.expect(Upstream, 0, resp("SET", "a", "1"))
	b.send(Upstream, resp("GET", "a")+resp("SET", "b", "2"))
	b.expect(Upstream, 50*ms-1, "")
	b.expect(Upstream, 50*ms, resp("GET", "a")+resp("SET", "b", "2"))
}

func TestRedisAnswersStayInOrder(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &RedisFault{Commands: Names{"SET"}, Error: "OOM", Probability: 1}, 1)
	b.send(Upstream, resp("GET", "a")+resp("GET", "b")+resp("SET", "c", "1")+resp("GET", "d"))
	b.expect(Upstream, 0, resp("GET", "a")+resp("GET", "b"))
	if b.flows[Upstream].accepts() {
		t.Error("more is read while an answer waits")
	}
	b.send(Downstream, "*1\r\n$1\r\na\r\n>2\r\n+push\r\n+x\r\n")
	b.expect(Downstream, 0, "*1\r\n$1\r\na\r\n>2\r\n+push\r\n+x\r\n")
	b.send(Downstream, "%1\r\n+k\r\n:1\r\n")
	b.expect(Downstream, 0, "%1\r\n+k\r\n:1\r\n"+"-"+redisErrors["OOM"]+"\r\n")
	b.expect(Upstream, 0, resp("GET", "d"))
	if !b.flows[Upstream].accepts() {
		t.Error("nothing more is read")
	}
}

func TestRedisFaultRemovedWhileAnAnswerWaits(t *testing.T) {
	b := newBench(t, 1, 1)
	toxic := b.add(Upstream, &RedisFault{Commands: Names{"SET"}, Error: "OOM", Probability: 1}, 1)
	b.send(Upstream, resp("GET", "a")+resp("SET", "c", "1")+resp("GET", "d")+"*2\r\n$3\r\nGE")
	b.expect(Upstream, 0, resp("GET", "a"))
	b.remove(toxic)
	b.expect(Upstream, 0, resp("SET", "c", "1")+resp("GET", "d")+"*2\r\n$3\r\nGE")
}

// A server that does not know that a command of a transaction failed would
// carry out the rest, and answer with fewer replies than the client waits for.
func TestRedisErrorsFailTheTransaction(t *testing.T) {
	oom := "-" + redisErrors["OOM"] + "\r\n"
	for _, size := range []int{1, 3, 1 << 20} {
		b := newBench(t, 1, 1)
		b.add(Upstream, &RedisFault{Commands: Names{"INCR", "DISCARD"}, Error: "OOM", Probability: 1}, 1)
		send := func(d Direction, text string) {
			for ; text != ""; text = text[min(size, len(text)):] {
				b.send(d, text[:min(size, len(text))])
			}
		}
		send(Upstream, resp("MULTI")+resp("INCR", "a")+resp("GET", "b")+resp("EXEC"))
		b.expect(Upstream, 0, resp("MULTI")+resp("GET"))
		send(Downstream, "+OK\r\n>2\r\n+push\r\n+x\r\n-ERR wrong number of arguments\r\n")
		b.expect(Downstream, 0, "+OK\r\n>2\r\n+push\r\n+x\r\n"+oom)
		b.expect(Upstream, 0, resp("GET", "b")+resp("EXEC"))
		send(Downstream, "+QUEUED\r\n-EXECABORT\r\n")
		b.expect(Downstream, 0, "+QUEUED\r\n-EXECABORT\r\n")
		// Outside of one the server is not asked.
		send(Upstream, resp("INCR", "a"))
		b.expect(Downstream, 0, oom)
		send(Upstream, resp("MULTI")+resp("DISCARD")+resp("INCR", "a"))
		b.expect(Upstream, 0, resp("MULTI")+resp("DISCARD"))
		send(Downstream, "+OK\r\n+OK\r\n")
		b.expect(Downstream, 0, "+OK\r\n+OK\r\n"+oom)
	}
}

func TestRedisErrorInPlaceOfExecDiscards(t *testing.T) {
	b := newBench(t, 1, 1)
	fault := b.add(Upstream, &RedisFault{Commands: Names{"EXEC"}, Error: "LOADING", Probability: 1}, 1)
	b.send(Upstream, resp("MULTI")+resp("SET", "a", "1")+resp("EXEC")+resp("GET", "a"))
	b.expect(Upstream, 0, resp("MULTI")+resp("SET", "a", "1")+resp("DISCARD"))
	b.send(Downstream, "+OK\r\n+QUEUED\r\n+O")
	b.expect(Downstream, 0, "+OK\r\n+QUEUED\r\n")
	b.send(Downstream, "K\r\n$1\r\n9\r\n")
	b.expect(Downstream, 0, "-EXECABORT Transaction discarded because of: "+redisErrors["LOADING"]+"\r\n$1\r\n9\r\n")
	b.expect(Upstream, 0, resp("GET", "a"))
	// The command that was replaced cannot be passed on any more.
	b.send(Upstream, resp("EXEC"))
	b.expect(Upstream, 0, resp("DISCARD"))
	b.remove(fault)
	b.expect(Upstream, 0, "<cut>")
}

func TestRedisSubscribersPassUntouched(t *testing.T) {
	b := newBench(t, 1, 1)
	b.add(Upstream, &RedisFault{Error: "OOM", Probability: 1}, 1)
	b.send(Upstream, resp("SUBSCRIBE", "news")+resp("PING"))
	b.expect(Upstream, 0, resp("SUBSCRIBE", "news")+resp("PING"))
	b.send(Downstream, "anything")
	b.expect(Downstream, 0, "anything")
}

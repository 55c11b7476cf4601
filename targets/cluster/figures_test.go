//go:build unix

package cluster

import (
	"bufio"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
)

// twoDesks are those of two masters side by side.
func twoDesks(t *testing.T) (here, there *page.Desk) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page")
	first, err := page.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { first.Close() })
	second, err := page.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.Close() })
	return first.Desk(), second.Desk()
}

func TestRateIsThatOfAllMasters(t *testing.T) {
	here, there := twoDesks(t)
	c := Config{Limits: Limits{Rate: 0.001}}
	a, b := newFrontAt(t, here, c, name("served")), newFrontAt(t, there, c, name("served"))
	if status, _ := a.ask("GET", ""); status != http.StatusOK {
		t.Errorf("the first request is answered %d", status)
	}
	if status, _ := b.ask("GET", ""); status != http.StatusTooManyRequests {
		t.Errorf("the second one, of another master, is answered %d", status)
	}
	if n := a.figures().refused["rate"]; n != 1 {
		t.Errorf("%d requests are counted as refused", n)
	}
}

func TestConnectionsAreThoseOfAllMasters(t *testing.T) {
	here, there := twoDesks(t)
	c := Config{Limits: Limits{Connections: 1}}
	a, b := newFrontAt(t, here, c, name("served")), newFrontAt(t, there, c, name("served"))
	conn := a.begin("GET / ")
	if !eventually(func() bool { return b.figures().conns == 1 }) {
		t.Fatal("a connection to another master is not counted")
	}
	const request = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
	if all := b.say(request); !strings.HasPrefix(all, "HTTP/1.1 503 ") {
		t.Errorf("one more is answered %q", all)
	}
	conn.Close()
	if !eventually(func() bool { return b.figures().conns == 0 }) {
		t.Fatal("a connection that has ended is counted")
	}
	if all := b.say(request); !strings.HasPrefix(all, "HTTP/1.1 200 ") {
		t.Errorf("after it one is answered %q", all)
	}
}

func TestQueueIsThatOfAllMasters(t *testing.T) {
	here, there := twoDesks(t)
	c := Config{Queue: Queue{Size: 1, Timeout: units.Duration(patience)}}
	a, b := newBenchAt(t, here, c), newBenchAt(t, there, c)
	a.say("first")
	b.awaitQueue(1)
	r, err := http.ReadResponse(bufio.NewReader(b.say("second")), nil)
	if err != nil || r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more is answered %v, %v", r, err)
	}
	if f := a.figures(); f.refused["queue full"] != 1 || f.conns != 1 {
		t.Errorf("the figures are %+v", f)
	}
	silent := b.say("")
	if !eventually(func() bool { return a.figures().conns == 2 }) {
		t.Error("one that says nothing is not counted")
	}
	silent.Close()
	if !eventually(func() bool { return a.figures().conns == 1 }) {
		t.Error("one that has gone is counted")
	}
	a.giveUp(0)
	if n := b.queued(); n != 0 {
		t.Errorf("%d are in line in the end", n)
	}
}

func TestFiguresAreThoseOfAllMasters(t *testing.T) {
	here, there := twoDesks(t)
	release := make(chan struct{})
	holds := func(http.ResponseWriter, *http.Request) { <-release }
	a, b := newFrontAt(t, here, Config{}, breakOff, holds), newFrontAt(t, there, Config{}, breakOff, holds)
	for _, m := range []*front{a, b} {
		m.leave(m.members[1])
		if status, _ := m.ask("POST", "words"); status != http.StatusBadGateway {
			t.Errorf("who reaches a worker that breaks off is answered %d", status)
		}
		m.leave(m.members[0])
		m.join(m.members[1])
		m.begin("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	}
	for _, m := range []*front{a, b} {
		if !eventually(func() bool { return m.figures().inFlight == 2 }) {
			t.Errorf("%d requests are in flight", m.figures().inFlight)
		}
		w := m.figures().workers
		if len(w) != 2 || w[0] != (workerFigures{1, 2, 2, false}) || w[1] != (workerFigures{2, 2, 0, true}) {
			t.Errorf("the workers' figures are %+v", w)
		}
	}
	close(release)
	if !eventually(func() bool { return a.figures().inFlight == 0 }) {
		t.Error("what was answered is in flight")
	}
}

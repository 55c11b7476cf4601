package note

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heard is what a listener of a test has heard.
type heard struct {
	*Listener
	mu     sync.Mutex
	events []Event
	at     []clock.Time
	gate   chan struct{} // unless nil, hearing waits for its end
}

func listen(t *testing.T, gate chan struct{}) *heard {
	t.Helper()
	dir, err := os.MkdirTemp("", "note") // a test's own directory has too long a path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &heard{gate: gate}
	h.Listener, err = Listen(filepath.Join(dir, "s"), func(at clock.Time, e Event) {
		if h.gate != nil {
			<-h.gate
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events, h.at = append(h.events, e), append(h.at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func dial(t *testing.T, h *heard) *Sender {
	t.Helper()
	s, err := Dial(h.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestEventsAreHeardInOrder(t *testing.T) {
	h := listen(t, nil)
	t.Setenv(Var, h.Address())
	s := FromEnv()
	defer s.Close()
	before := clock.Now()
	const n = 5
	for i := range n {
		s.Send("redis", "breaker %d", i)
	}
	h.Close() // hears all that was sent before
	if len(h.events) != n {
		t.Fatalf("heard %v", h.events)
	}
	for i, e := range h.events {
		if want := (Event{"redis", fmt.Sprint("breaker ", i)}); e != want {
			t.Errorf("number %d is %v, want %v", i, e, want)
		}
		if h.at[i] < before || h.at[i] > clock.Now() {
			t.Errorf("number %d was heard at %d", i, h.at[i])
		}
	}
}

// A listener that is busy holds nobody up, and loses little.
func TestSenderNeverBlocks(t *testing.T) {
	gate := make(chan struct{})
	h := listen(t, gate)
	s := dial(t, h)
	const n = 10 * backlog
	for i := range n {
		s.Send("many", "%d", i)
	}
	close(gate)
	last := func() int {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.events)
	}
	for deadline := time.Now().Add(20 * time.Second); last() < backlog && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if last() < backlog || last() > n {
		t.Errorf("%d of %d were heard, want those that wait at least", last(), n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, e := range h.events {
		if e.What != fmt.Sprint(i) {
			t.Fatalf("number %d is %v", i, e)
		}
	}
}

func TestBadEventsAreIgnored(t *testing.T) {
	h := listen(t, nil)
	conn, err := net.Dial(network(h.Address()), h.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, text := range []string{
		"", "nonsense", `{"what": 7}`, `{"source": "only"}`, `{"what": "  "}`,
		`{"what": "no source"}`,
		`{"source": "a\nb", "what": "two\r\nlines` + strings.Repeat("x", 2*maxWhat) + `"}`,
	} {
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	h.Close()
	if len(h.events) != 2 || h.events[0] != (Event{"target", "no source"}) {
		t.Fatalf("heard %q", h.events)
	}
	if e := h.events[1]; e.Source != "a b" || !strings.HasPrefix(e.What, "two  lines") || len([]rune(e.What)) != maxWhat {
		t.Errorf("heard %q", e)
	}
}

func TestNobodyListens(t *testing.T) {
	h := listen(t, nil)
	s := dial(t, h)
	h.Close()
	s.Send("a", "b")
	s.Close()
	s.Send("a", "b")
	if _, err := os.Stat(h.path); h.path != "" && !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	t.Setenv(Var, filepath.Join(t.TempDir(), "nothing"))
	none := FromEnv()
	if none != nil {
		t.Error("there is a sender to nobody")
	}
	none.Send("a", "b")
	none.Close()
	t.Setenv(Var, "")
	if FromEnv() != nil {
		t.Error("there is a sender without an address")
	}
	if _, err := Listen(filepath.Join(t.TempDir(), "no", "such"), nil); err == nil && h.path != "" {
		t.Error("it listens in a folder that does not exist")
	}
}

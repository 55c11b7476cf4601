//go:build unix

package cluster

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// Workers that no proxy stands before refuse it themselves.
func TestWorkersRefuseWhatCanBeReadInTwoWays(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
	const both = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	const chunked = "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(2, dispatch, 0)})
			for what, c := range map[string]struct {
				text   string
				status string // of the first answer
				good   int    // answers
			}{
				"one request":           {get, "200", 1},
				"two in a row":          {"GET / HTTP/1.1\r\nHost: test\r\n\r\n" + get, "200", 2},
				"one with a body":       {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc" + get, "200", 2},
				"both lengths":          {both + get, "400", 0},
				"two lengths":           {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na" + get, "400", 0},
				"a bare line feed":      {"GET / HTTP/1.1\nHost: test\r\n\r\n" + get, "400", 0},
				"bare ends":             {"GET / HTTP/1.1\r\nHost: test\n\n" + get, "400", 0},
				"a huge header":         {"GET / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("a", 20<<10) + "\r\n\r\n" + get, "431", 0},
				"both lengths, later":   {"GET / HTTP/1.1\r\nHost: test\r\n\r\n" + both + get, "200", 1},
				"after an empty line":   {"\r\n" + get, "200", 1},
				"after two":             {"\r\n\r\n" + get, "400", 0},
				"empty lines between":   {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\na\r\n" + get, "200", 2},
				"an upgrade, not given": {"GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + get, "200", 2},
				"what is behind chunks": {"POST / HTTP/1.1\r\nHost: test\r\n" + chunked + both, "200", 1},
				"behind all options":    {"OPTIONS * HTTP/1.1\r\nHost: test\r\n" + chunked + both, "200", 1},
				"behind an upgrade":     {"GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + both, "200", 1},
				"a malformed chunk":     {"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" + get, "400", 0},
			} {
				if dispatch == "proxy" && (what == "behind all options" || what == "a malformed chunk" || what == "an upgrade, not given") {
					continue // it has its own tests
				}
				all := say(t, f.address, c.text)
				if good := strings.Count(all, "HTTP/1.1 200 OK"); !strings.HasPrefix(all, "HTTP/1.1 "+c.status) || good != c.good {
					t.Errorf("%s: %q", what, all)
				}
			}
			if s := f.status(); s.Ready != 2 || s.Workers[0].Restarts+s.Workers[1].Restarts != 0 {
				t.Errorf("the status is %+v", s)
			}
		})
	}
}

// say sends bytes and returns all that comes back until the end.
func say(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprint(conn, text); err != nil {
		t.Fatal(err)
	}
	all, _ := io.ReadAll(conn) // a reset after the answer is an end too
	return string(all)
}

// A client that sends no more than part of a header holds no reload up: kill_timeout
// is for requests.
func TestHalfAHeaderHoldsNothingUp(t *testing.T) {
	for _, dispatch := range []string{"handoff", "shared", "reuseport"} {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			c := config(1, dispatch, 0)
			c.KillTimeout = units.Duration(10 * patience)
			f := start(t, masterOptions{Config: c})
			conn, err := net.Dial("tcp", f.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n\r\nGET / HTTP/1.1\r\nHo"); err != nil {
				t.Fatal(err)
			}
			old := f.status().Workers[0].PID
			f.await("the answer", func(s Status) bool { return s.Workers[0].Requests == 1 })
			ctx, cancel := timeout()
			defer cancel()
			if err := f.Reload(ctx); err != nil {
				t.Fatalf("the reload waits for half a header: %v", err)
			}
			if pid := f.status().Workers[0].PID; pid == old {
				t.Errorf("process %d serves on", pid)
			}
		})
	}
}

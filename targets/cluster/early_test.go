//go:build unix

package cluster

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// refuses answers without a look at the body, and then nothing that comes on the
// same connection.
func refuses(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 11\r\n\r\nwho are you")
	_, _ = io.Copy(io.Discard, conn)
}

// never is longer than a test.
const never = units.Duration(time.Hour)

// begin sends the beginning of a request, and returns its connection.
func (f *front) begin(text string) net.Conn {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		f.t.Fatal(err)
	}
	return conn
}

// A client that pauses in the middle of its upload is told at once what its worker
// has to say.
func TestProxyPassesEarlyAnswersOn(t *testing.T) {
	part := strings.Repeat("a", replayable+1)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
	for what, request := range map[string]string{
		"a length":            "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n" + part,
		"hardly a length":     fmt.Sprintf("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", len(part)+1, part),
		"chunks":              "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
		"a client that waits": "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
		"an old client":       "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1000000\r\n\r\n" + part,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, Config{Timeouts: Timeouts{Idle: never}}, refuses)
			conn := f.begin(request)
			r := bufio.NewReader(conn)
			a, err := http.ReadResponse(r, nil)
			for err == nil && a.StatusCode == http.StatusContinue {
				a, err = http.ReadResponse(r, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if body := end(t, a.Body); a.StatusCode != http.StatusUnauthorized || body != "who are you" || !a.Close {
				t.Errorf("%s %q, the last one: %v", a.Status, body, a.Close)
			}
			if rest := end(t, r); rest != "" { // in the end the connection is closed, not reset
				t.Errorf("after the answer comes %q", rest)
			}
			// The worker's connection, which has half a request in it, gets no other one.
			if status, _ := f.ask("POST", "words"); status != http.StatusUnauthorized {
				t.Errorf("the next one is answered %d", status)
			}
			if !eventually(func() bool { return f.figures().conns == 0 }) {
				t.Error("the client's connection stays")
			}
		})
	}
}

// Who goes on sending sees the answer too, and no reset.
func TestProxyAnswersWhoGoesOnSending(t *testing.T) {
	f := newFront(t, Config{Timeouts: Timeouts{Idle: never}}, refuses)
	conn := f.begin("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10000000\r\n\r\n")
	var sending sync.WaitGroup
	sending.Go(func() {
		for range 100 {
			if _, err := conn.Write(make([]byte, 100_000)); err != nil {
				return // nobody reads it any more
			}
		}
	})
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body := end(t, a.Body); a.StatusCode != http.StatusUnauthorized || body != "who are you" {
		t.Errorf("%s %q", a.Status, body)
	}
	conn.Close()
	sending.Wait()
}

func TestProxyPassesEarlyAnswersOnByHTTP2(t *testing.T) {
	f := newFront(t, Config{Timeouts: Timeouts{Idle: never}}, refuses)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c := clientOver(t, &http.Transport{Protocols: protocols})
	body, pause := io.Pipe()
	defer pause.Close()
	go func() { _, _ = pause.Write(make([]byte, replayable+1)) }()
	r, err := http.NewRequest(http.MethodPost, "http://"+f.address+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	if a, body := answerTo(t, c, r); a.StatusCode != http.StatusUnauthorized || body != "who are you" {
		t.Errorf("%s %q", a.Status, body)
	}
	// The connection goes on.
	if a, _ := answerTo(t, c, get(t, "http://"+f.address+"/")); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the next one: %s", a.Status)
	}
}

// An answer that begins early may go on while the body is still passed on.
func TestProxyPassesBothWaysAtOnce(t *testing.T) {
	f := newFront(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_ = control.Flush()
		_, _ = io.Copy(w, r.Body)
	})
	const length = 3 * replayable
	conn := f.begin(fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("a", 2*replayable)))
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", a, err)
	}
	fmt.Fprint(conn, strings.Repeat("a", replayable))
	if body := end(t, a.Body); len(body) != length {
		t.Errorf("%d bytes came back of %d", len(body), length)
	}
}

// An early answer is one: it is not asked for again.
func TestProxyTriesNoOtherForHalfABody(t *testing.T) {
	var asked atomic.Int64
	busy := func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	f := newFront(t, Config{Timeouts: Timeouts{Idle: never}}, busy, busy)
	conn := f.begin("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("a", replayable+1))
	if all := end(t, conn); !strings.HasPrefix(all, "HTTP/1.1 503 ") || asked.Load() != 1 {
		t.Errorf("%d workers were asked, the answer is %q", asked.Load(), all)
	}
}

// What the proxy itself refuses it refuses in time, and keeps the connection of who
// has sent a short request whole.
func TestProxyRefusesInTime(t *testing.T) {
	f := newFront(t, Config{Timeouts: Timeouts{Idle: never}, Limits: Limits{Rate: 0.001}}, name("served"))
	f.ask("GET", "") // it takes what the rate allows
	short := "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nwords"
	if all := end(t, f.begin(short+short+"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")); strings.Count(all, "HTTP/1.1 429 ") != 3 {
		t.Errorf("three requests are answered %q", all)
	}
	for what, request := range map[string]string{
		"half a short one": "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nwo",
		"half a long one":  "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\nwo",
		"half a chunk":     "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwo",
		"a doubtful one":   "POST / HTTP/1.1\r\nHost: test/path\r\nContent-Length: 5\r\n\r\nwo",
	} {
		want := "HTTP/1.1 429 "
		if what == "a doubtful one" {
			want = "HTTP/1.1 400 "
		}
		if all := end(t, f.begin(request)); !strings.HasPrefix(all, want) || !strings.Contains(all, "\r\nConnection: close\r\n") {
			t.Errorf("%s is answered %q", what, all)
		}
	}
}

// A worker that dies while the client pauses is not waited for.
func TestProxyTellsOfADeathInAnUpload(t *testing.T) {
	var asked atomic.Int64
	dies := func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	}
	for what, request := range map[string]string{
		"a length": "PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("a", replayable+1),
		"chunks":   fmt.Sprintf("PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", replayable+1, strings.Repeat("a", replayable+1)),
	} {
		asked.Store(0)
		f := newFront(t, Config{Timeouts: Timeouts{Idle: never}}, dies, dies)
		if all := end(t, f.begin(request)); !strings.HasPrefix(all, "HTTP/1.1 502 ") || asked.Load() != 1 {
			t.Errorf("%s: %d workers were asked, the answer is %q", what, asked.Load(), all)
		}
	}
}

// A worker's connection may end after the transport has chosen it and before the
// request says that it uses it.
func TestAttemptSeesThatItsConnectionHasEnded(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	theirs.Close()
	ended := &workerConn{Conn: ours}
	if _, err := ended.Read(make([]byte, 1)); err == nil {
		t.Fatal("a connection without its other end can be read from")
	}
	a := &attempt{client: &patientBody{control: http.NewResponseController(httptest.NewRecorder())}}
	a.use(ended)
	if !a.gone || !a.client.abandoned {
		t.Error("it waits for the client's body, which nobody wants")
	}
	a.use(&workerConn{})
	if a.gone || a.client.abandoned {
		t.Error("over another connection it goes on without the client's body")
	}
}

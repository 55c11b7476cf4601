//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports"
)

// service is a target in this process. /hang answers nobody before the test ends.
func service(t *testing.T, handle http.HandlerFunc) (url string) {
	t.Helper()
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			select {
			case <-over:
			case <-r.Context().Done():
			}
			return
		}
		handle(w, r)
	}))
	t.Cleanup(func() {
		close(over)
		s.Close()
	})
	return s.URL + "/"
}

func fine(http.ResponseWriter, *http.Request) {}

// A service that is ready and answers nothing else is bad from the start, and no
// fault is to be blamed for it.
func TestBaselineOfAServiceThatHangs(t *testing.T) {
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", "-o", "r.json", write(t, dir, "hang.yaml", fmt.Sprintf(`
name: hang
target: {url: %q}
ready: {path: /ready}
warmup: 500ms
load: [{name: main, closed: {concurrency: 3}, duration: 30s, timeout: 4s, requests: [{path: /hang}]}]
probe: {off: true}
chaos: [{name: nothing, exec: {run: ["true"]}, at: 2s}]
slo: [availability >= 99%%]
`, service(t, fine))))
	_ = cmd.Wait() // its exit code is looked at
	r := readReport(t, filepath.Join(dir, "r.json"))
	if code := cmd.ProcessState.ExitCode(); code != 3 || r.Verdict != reports.Error || len(r.Faults) != 0 {
		t.Errorf("exit code %d, verdict %s, faults %v:\n%s", code, r.Verdict, r.Faults, out)
	}
	if len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "the baseline is already bad: 3 of 3 requests") {
		t.Errorf("reasons %q", r.Reasons)
	}
}

// One whose first answer takes longer than the warm-up is slow, not bad.
func TestBaselineOfASlowStart(t *testing.T) {
	var first sync.Once
	slow := func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			first.Do(func() { time.Sleep(1300 * time.Millisecond) })
		}
	}
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", "-o", "r.json", write(t, dir, "slow.yaml", fmt.Sprintf(`
name: slow
target: {url: %q}
ready: {path: /ready}
warmup: 1s
load: [{name: main, closed: {concurrency: 1}, duration: 500ms, timeout: 2s}]
probe: {off: true}
slo: [availability >= 99%%]
`, service(t, slow))))
	_ = cmd.Wait() // its exit code is looked at
	if r := readReport(t, filepath.Join(dir, "r.json")); r.Verdict == reports.Error {
		t.Errorf("%q:\n%s", r.Reasons, out)
	}
}

// A run that is aborted while its last requests are waited for is no longer than
// its load, and the prober, which had ended with that, has missed nothing.
func TestAbortWhileWaiting(t *testing.T) {
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", "-o", "r.json", write(t, dir, "abort.yaml", fmt.Sprintf(`
name: abort
target: {url: %q}
warmup: 0s
load:
  - {name: soon, closed: {concurrency: 1}, duration: 1s, timeout: 1500ms, requests: [{path: /hang}]}
  - {name: late, closed: {concurrency: 1}, duration: 1s, timeout: 60s, requests: [{path: /hang}]}
probe: {path: /alive, every: 200ms, timeout: 20s}
abort_if: [failed > 0]
`, service(t, fine))))
	_ = cmd.Wait() // its verdict is looked at
	r := readReport(t, filepath.Join(dir, "r.json"))
	if r.DurationS != 1 || !strings.Contains(strings.Join(r.Reasons, "\n"), "abort_if failed > 0 struck") {
		t.Errorf("%v s because of %q:\n%s", r.DurationS, r.Reasons, out)
	}
	// On a machine that had no processor for the prober there are gaps indeed.
	if p := r.Probes[0]; p.Sent == 5 && (p.UnobservedS != 0 || r.Verdict != reports.Aborted) {
		t.Errorf("verdict %s, %v s unobserved", r.Verdict, p.UnobservedS)
	}
}

// The probes of another path than the load's are GETs, whatever the load does.
func TestProbesOfAnotherPath(t *testing.T) {
	var probes, wrong atomic.Int64
	url := service(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /orders":
			w.WriteHeader(http.StatusCreated)
		case "GET /health":
			probes.Add(1)
		default:
			wrong.Add(1)
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", "-o", "r.json", write(t, dir, "orders.yaml", fmt.Sprintf(`
name: orders
target: {url: %q}
warmup: 0s
load:
  - name: main
    closed: {concurrency: 1, think: 10ms}
    duration: 1s
    timeout: 20s
    requests: [{method: POST, path: /orders, body: "{}", expect: {status: [201]}}]
probe: {path: /health, timeout: 20s}
`, url)))
	_ = cmd.Wait() // on a busy machine it may have seen too little
	r := readReport(t, filepath.Join(dir, "r.json"))
	if r.Load[0].Requests.OK == 0 || r.Load[0].Requests.Failed != 0 || r.Probes[0].Failed != 0 || probes.Load() == 0 || wrong.Load() != 0 {
		t.Errorf("load %+v, probes %+v; %d good and %d wrong requests came:\n%s", r.Load[0].Requests, r.Probes[0], probes.Load(), wrong.Load(), out)
	}
}

// The prober ends with a load of a count, not with what is put back after it.
func TestProberEndsWithTheLoad(t *testing.T) {
	var last atomic.Int64 // when a probe came, in nanoseconds
	url := service(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/alive" {
			last.Store(time.Now().UnixNano())
		}
	})
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", write(t, dir, "count.yaml", fmt.Sprintf(`
name: count
target: {url: %q}
load: [{name: main, closed: {concurrency: 1, think: 20ms}, count: 50, timeout: 20s}]
probe: {path: /alive, timeout: 20s}
chaos:
  - name: slow
    exec: {run: ["true"], revert: [sh, -c, "echo > reverting; until [ -e go ]; do sleep 0.05; done"]}
    at: 100ms
`, url)))
	goOn := sync.OnceFunc(func() { write(t, dir, "go", "") })
	defer goOn() // whatever this test comes to
	await(t, "the end of the load", time.Minute, func() bool {
		_, err := os.Stat(filepath.Join(dir, "reverting"))
		return err == nil
	})
	await(t, "the last probe", 20*time.Second, func() bool {
		return time.Since(time.Unix(0, last.Load())) > 500*time.Millisecond
	})
	goOn()
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 4 { // too little was seen
		t.Errorf("%v:\n%s", err, out)
	}
}

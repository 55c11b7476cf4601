//go:build unix

package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A generator that does not get its processor says so, and lays none of what it
// could not send at the target's door.
func TestBenchSaturated(t *testing.T) {
	var served atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	defer srv.Close()
	cmd, out := play(t, t.TempDir(), "bench", "--rate", "200", "-t6", "-s1", "-c100", "-k", "--no-probe", srv.URL+"/")
	await(t, "requests to be answered", time.Minute, func() bool { return served.Load() >= 10 })
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // longer than a request may wait: what is tested
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("it ended with %v", err)
	}
	for _, want := range []string{"lower the rate, or give hachaos more processors", "generator"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

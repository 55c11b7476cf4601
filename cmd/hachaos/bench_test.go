package main

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports"
)

// runHachaos runs the binary and returns its exit code and output.
func runHachaos(t *testing.T, dir string, args ...string) (code int, out, errOut string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(binary, name()), args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return code, stdout.String(), stderr.String()
}

func TestBenchExitCodes(t *testing.T) {
	var third atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" || r.URL.Path == "/third" && third.Add(1) == 3 {
			panic(http.ErrAbortHandler)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer srv.Close()
	for name, c := range map[string]struct {
		args        []string
		code        int
		out, errOut string
	}{
		"plain":                {[]string{"-n20", "-c2", srv.URL + "/"}, 0, "Complete requests:      20\n", ""},
		"progress":             {[]string{"-n300", "-c10", srv.URL + "/"}, 0, "", "Completed 100 requests\nCompleted 200 requests\nCompleted 300 requests\nFinished 300 requests\n"},
		"quiet":                {[]string{"-q", "-n300", "-c10", srv.URL + "/"}, 0, "UPTIME", ""},
		"no probe":             {[]string{"-q", "-n30", "--no-probe", srv.URL + "/"}, 0, "AVAILABILITY", ""},
		"socket error":         {[]string{"-n20", srv.URL + "/gone"}, 3, "(be patient)...\n", "-r goes on"},
		"a later one":          {[]string{"-n20", "--no-probe", srv.URL + "/third"}, 3, "(be patient)...\nTotal of 2 requests completed\n", "-r goes on"},
		"going on":             {[]string{"-r", "-n20", srv.URL + "/gone"}, 0, "Failed requests:        20\n", ""},
		"unknown flag":         {[]string{"--frob", srv.URL}, 22, "", "unknown flag: --frob"},
		"no number":            {[]string{"-n", "x", srv.URL}, 22, "", "not a number from 1 on"},
		"zero":                 {[]string{"-c0", srv.URL}, 22, "", "not a number from 1 on"},
		"no level":             {[]string{"-v", "x", srv.URL}, 22, "", `"x" is not a number`},
		"negative time":        {[]string{"-t-1", srv.URL}, 22, "", `"-1" is not a time`},
		"no time":              {[]string{"-t", "soon", srv.URL}, 22, "", "not a time"},
		"n below c":            {[]string{"-n5", "-c10", srv.URL}, 22, "", "-c 10 is above -n 5"},
		"no URL":               {nil, 22, "", "a URL is missing"},
		"two URLs":             {[]string{srv.URL, srv.URL}, 22, "", "one URL at a time"},
		"remote":               {[]string{"http://example.test/"}, 22, "", "--allow-remote"},
		"unknown format":       {[]string{"-o", "x.doc", srv.URL}, 22, "", "no format"},
		"no such folder":       {[]string{"-o", "no/such/x.bin", srv.URL}, 22, "", "no folder"},
		"until, every request": {[]string{"--until", "p99 < 1s", "-t100ms", "-o", "x.bin", srv.URL}, 22, "", "leave out -o x.bin"},
		"until, -g":            {[]string{"--until", "p99 < 1s", "-t100ms", "-g", "g.tsv", srv.URL}, 22, "", "leave out -g"},
		"output refused":       {[]string{"-q", "-e", "/no/such/folder/e.csv", srv.URL}, 3, "Complete requests:      1\n", "e.csv"},
		"version":              {[]string{"-V"}, 0, "hachaos bench ", ""},
		"help":                 {[]string{"-h"}, 0, "Different from ab", ""},
		"nothing good":         {[]string{"-n3", "-r", srv.URL + "/gone", "-d", "-S"}, 0, "Failures by cause", ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := runHachaos(t, t.TempDir(), append([]string{"bench"}, c.args...)...)
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errOut, c.errOut) {
				t.Errorf("bench %q: exit code %d, want %d\nstandard output:\n%s\nstandard error:\n%s", c.args, code, c.code, out, errOut)
			}
			if code == 22 && (out != "" || strings.Count(errOut, "\n") > 2) {
				t.Errorf("bench %q: a mistake is a line or two, not\n%s%s", c.args, out, errOut)
			}
		})
	}
}

// TestBenchQuietSearch lets -q keep what a search shows of its progress: the trials.
func TestBenchQuietSearch(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer srv.Close()
	code, out, errOut := runHachaos(t, t.TempDir(), "bench", "-q", "--until", "error_rate < 1%", "-t100ms", "--no-probe", srv.URL)
	// Where the generator itself cannot keep up with any rate nothing is known.
	if code != reports.ExitFail && code != reports.ExitInconclusive || !strings.Contains(out, "error_rate < 1%") || errOut != "" {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}

// TestBenchWritesReports wants what run writes: it can be read and rendered.
func TestBenchWritesReports(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	dir := t.TempDir()
	code, out, errOut := runHachaos(t, dir, "bench", "-q", "-n200", "-c2", "-k", "-o", "r.json", "-o", "r.html", "-o", "r.bin", srv.URL)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errOut)
	}
	r := readReport(t, filepath.Join(dir, "r.json"))
	if r.Target.Kind != "url" || r.Load[0].Requests.OK != 200 || r.Load[0].Engine != "http1" || r.Availability.Uptime == nil || r.DurationS <= 0 || time.Since(r.Started) > time.Hour {
		t.Errorf("%+v", r)
	}
	if code, out, errOut := runHachaos(t, dir, "report", "r.json"); code != 0 || !strings.Contains(out, "AVAILABILITY") {
		t.Errorf("report: exit code %d\n%s%s", code, out, errOut)
	}
	code, out, errOut = runHachaos(t, dir, "bench", "-q", "-n5", "-o", "-", srv.URL)
	if _, err := reports.Read(strings.NewReader(out)); code != 0 || err != nil {
		t.Errorf("-o -: exit code %d, %v\n%s%s", code, err, out, errOut)
	}
}

//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fixedServer answers every request with the same bytes, to ab's HTTP/1.0 as to
// HTTP/1.1: only so are the bytes transferred comparable. It returns its URL.
func fixedServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerFixed(c)
		}
	}()
	return "http://" + l.Addr().String()
}

func answerFixed(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		keep := strings.EqualFold(r.Header.Get("Connection"), "keep-alive") || r.ProtoAtLeast(1, 1) && !r.Close
		status, connection := "200 OK", "close"
		if r.URL.Path == "/missing" {
			status = "404 Not Found"
		}
		if keep {
			connection = "keep-alive"
		}
		body := "hello to you\n"
		head := fmt.Sprintf("HTTP/1.1 %s\r\nServer: fixed/1.0\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n", status, len(body), connection)
		if r.Method == "HEAD" {
			body = ""
		}
		if _, err := fmt.Fprint(c, head+body); err != nil || !keep {
			return
		}
	}
}

// needAb returns the real ab, or skips where there is none.
func needAb(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ab")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("ab is missing (apt-get install apache2-utils)")
	} else if err != nil {
		t.Skip("ab is not installed (apt-get install apache2-utils): there is nothing to compare with")
	}
	return path
}

// line is one line of ab's report: "Complete requests:      200".
var line = regexp.MustCompile(`^([A-Z][A-Za-z0-9/ -]*:) +(.*)$`)

// percentile is a line of the table of percentiles, up to its time.
var percentile = regexp.MustCompile(`^( *\d+%) +\d+`)

// number in a value that depends on time.
var number = regexp.MustCompile(`\d+(\.\d+)?`)

// measured are the lines whose figures differ from run to run.
var measured = map[string]bool{
	"Time taken for tests:": true, "Requests per second:": true, "Time per request:": true, "Transfer rate:": true,
	"Connect:": true, "Processing:": true, "Waiting:": true, "Total:": true,
}

// shape is a report with the figures that differ from run to run taken out: what
// a parser of it holds on to.
func shape(t *testing.T, out, port string) []string {
	t.Helper()
	_, report, found := strings.Cut(out, "Server Software:")
	if !found {
		t.Fatalf("no report in:\n%s", out)
	}
	report, _, _ = strings.Cut("Server Software:"+report, "\n AVAILABILITY")
	var lines []string
	for text := range strings.Lines(report) {
		text = strings.ReplaceAll(strings.TrimRight(text, " \n"), port, "PORT")
		if strings.HasPrefix(text, "WARNING: The median") || strings.HasPrefix(text, "ERROR: The median") ||
			strings.Contains(text, "These results are") || strings.Contains(text, "deviation apart") {
			continue // the figures of one run may deserve it, those of the other not
		}
		m := line.FindStringSubmatch(text)
		switch {
		case percentile.MatchString(text):
			text = percentile.ReplaceAllString(text, "$1 #")
		case m != nil && measured[m[1]], strings.Contains(text, "kb/s"):
			text = strings.Join(strings.Fields(number.ReplaceAllStringFunc(text, decimals)), " ")
		}
		lines = append(lines, text)
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// decimals keeps of a number how it is written: "12.34" becomes "#.##".
func decimals(s string) string {
	if _, fraction, ok := strings.Cut(s, "."); ok {
		return "#." + strings.Repeat("#", len(fraction))
	}
	return "#"
}

// TestBenchPrintsWhatAbPrints runs both against one server and compares every
// line of their reports.
func TestBenchPrintsWhatAbPrints(t *testing.T) {
	ab := needAb(t)
	server := fixedServer(t)
	port := server[strings.LastIndexByte(server, ':')+1:]
	dir := t.TempDir()
	body := filepath.Join(dir, "body")
	write(t, dir, "body", "a=b&c=d")
	for name, args := range map[string][]string{
		"plain":       {"-n", "200", "-c", "10", "/"},
		"one":         {"/"},
		"attached":    {"-n100", "-c5", "-s10", "/"},
		"kept":        {"-kr", "-n100", "-c5", "/a?b=c"},
		"combined":    {"-krql", "-n", "60", "/"},
		"missing":     {"-n", "20", "/missing"},
		"head":        {"-i", "-n20", "/"},
		"post":        {"-n20", "-p", body, "-T", "application/x-www-form-urlencoded", "/"},
		"put":         {"-n20", "-u", body, "/"},
		"method":      {"-n20", "-m", "DELETE", "/"},
		"no figures":  {"-n20", "-d", "-S", "/"},
		"no sd":       {"-n20", "-S", "/"},
		"headers":     {"-n20", "-H", "X-A: b", "-C", "a=b", "-A", "u:p", "/"},
		"local":       {"-n20", "-B", "127.0.0.1", "-b", "65536", "/"},
		"through":     {"-n20", "-X", strings.TrimPrefix(server, "http://"), "-P", "u:p", "/"},
		"time, count": {"-t", "60", "-n", "50", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			args = append(args[:len(args)-1:len(args)-1], server+args[len(args)-1])
			want, err := exec.Command(ab, args...).Output()
			if err != nil {
				t.Fatalf("ab %q: %v", args, err)
			}
			got, err := exec.Command(filepath.Join(binary, "hachaos"), append([]string{"bench", "--no-probe"}, args...)...).Output()
			if err != nil {
				t.Fatalf("hachaos bench %q: %v\n%s", args, err, got)
			}
			a, b := shape(t, string(want), port), shape(t, string(got), port)
			if name == "post" || name == "put" {
				// Both send the same body, in requests whose other headers differ.
				a, b = without(a, "Total body sent:"), without(b, "Total body sent:")
			}
			if strings.Join(a, "\n") != strings.Join(b, "\n") {
				t.Errorf("ab %q prints\n%s\n\nhachaos bench\n%s", args, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
		})
	}
}

func without(lines []string, prefix string) []string {
	var rest []string
	for _, l := range lines {
		if !strings.HasPrefix(l, prefix) {
			rest = append(rest, l)
		}
	}
	return rest
}

// TestBenchWritesAbsFiles compares the files of -e and -g by their form.
func TestBenchWritesAbsFiles(t *testing.T) {
	ab := needAb(t)
	server := fixedServer(t)
	form := func(program string, args ...string) (percentiles, requests []string) {
		dir := t.TempDir()
		csv, tsv := filepath.Join(dir, "e.csv"), filepath.Join(dir, "g.tsv")
		if out, err := exec.Command(program, append(args, "-n30", "-q", "-e", csv, "-g", tsv, server+"/")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
		return numbersOut(t, csv), numbersOut(t, tsv)
	}
	wantCSV, wantTSV := form(ab)
	gotCSV, gotTSV := form(filepath.Join(binary, "hachaos"), "bench", "--no-probe")
	if strings.Join(gotCSV, "\n") != strings.Join(wantCSV, "\n") {
		t.Errorf("-e: %q, want %q", gotCSV, wantCSV)
	}
	if strings.Join(gotTSV, "\n") != strings.Join(wantTSV, "\n") {
		t.Errorf("-g: %q, want %q", gotTSV, wantTSV)
	}
}

// numbersOut reads a file and takes out what differs from run to run: times.
func numbersOut(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	date := regexp.MustCompile(`^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\t`)
	var lines []string
	for l := range strings.Lines(string(text)) {
		l = date.ReplaceAllString(strings.TrimRight(l, "\n"), "DATE\t")
		lines = append(lines, number.ReplaceAllStringFunc(l, decimals))
	}
	return lines
}

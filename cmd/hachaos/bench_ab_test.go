//go:build unix

package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fixedServer answers every request with the same bytes, to ab's HTTP/1.0 as to
// HTTP/1.1: only so are the bytes transferred comparable. With a configuration it
// does so over TLS. It returns its URL.
func fixedServer(t *testing.T, secure *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme := "http://"
	if secure != nil {
		scheme, l = "https://", tls.NewListener(l, secure)
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
	return scheme + l.Addr().String()
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
	before, report, found := strings.Cut(out, "Server Software:")
	if !found {
		t.Fatalf("no report in:\n%s", out)
	}
	report, _, _ = strings.Cut("Server Software:"+report, "\n AVAILABILITY")
	lines := told(before)
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
		case htmlMeasured.MatchString(text):
			text = htmlNumber.ReplaceAllStringFunc(text, func(s string) string { return ">" + decimals(strings.Trim(s, "> ")) })
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

// htmlMeasured are the same lines in HTML, and htmlNumber a figure in them.
var (
	htmlMeasured = regexp.MustCompile(`^<tr.*(>(Time taken for tests|Requests per second|Transfer rate|Connect|Processing|Total):<|kb/s)`)
	htmlNumber   = regexp.MustCompile(`> *\d+(\.\d+)?`)
)

// told is what stands before the report: the progress, and what -v asks for, but
// for the lines of the requests, of which the first one's beginning stays.
func told(before string) []string {
	_, before, _ = strings.Cut(before, "\n\n") // who it is
	var lines []string
	request := false
	for text := range strings.Lines(before) {
		text = strings.TrimRight(text, "\r\n")
		if text == "---" {
			request = !request
		} else if request && !strings.Contains(text, " HTTP/1.") {
			continue
		}
		lines = append(lines, strings.Replace(text, " HTTP/1.0", " HTTP/1.1", 1))
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
	server := fixedServer(t, nil)
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
		"many":        {"-n", "300", "-c", "3", "/"},
		"many, quiet": {"-n", "300", "-q", "/"},
		"verbose 1":   {"-v", "1", "-n2", "/"},
		"verbose 2":   {"-v2", "-n2", "/"},
		"verbose 3":   {"-v", "3", "-n3", "/"},
		"verbose 4":   {"-v", "4", "-n2", "/"},
		"verbose 404": {"-v3", "-n2", "/missing"},
		"verbose all": {"-v", "4", "-n2", "/missing"},
		"html":        {"-w", "-n20", "/"},
		"html, post":  {"-w", "-n20", "-k", "-p", body, "/missing"},
		"attributes":  {"-x", "border=1", "-y", "align=left", "-z", "bgcolor=red", "-n20", "/"},
		"one of them": {"-y", "align=left", "-l", "-n200", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			compareWithAb(t, ab, server, args)
		})
	}
}

// compareWithAb runs both with the same arguments, whose last one is a path of the
// server, and compares what they print. Those in more are for hachaos alone.
func compareWithAb(t *testing.T, ab, server string, args []string, more ...string) {
	t.Helper()
	args = append(args[:len(args)-1:len(args)-1], server+args[len(args)-1])
	port := server[strings.LastIndexByte(server, ':')+1:]
	want, err := exec.Command(ab, args...).Output()
	if err != nil {
		t.Fatalf("ab %q: %v\n%s", args, err, want)
	}
	more = append([]string{"bench", "--no-probe"}, more...)
	got, err := exec.Command(filepath.Join(binary, "hachaos"), append(more, args...)...).Output()
	if err != nil {
		t.Fatalf("hachaos bench %q: %v\n%s", args, err, got)
	}
	a, b := shape(t, string(want), port), shape(t, string(got), port)
	if slices.Contains(args, "-p") || slices.Contains(args, "-u") {
		// Both send the same body, in requests whose other headers differ.
		a, b = without(a, "Total body sent:"), without(b, "Total body sent:")
	}
	if strings.Join(a, "\n") != strings.Join(b, "\n") {
		t.Errorf("ab %q prints\n%s\n\nhachaos bench\n%s", args, strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

func without(lines []string, prefix string) []string {
	var rest []string
	for _, l := range lines {
		if !strings.HasPrefix(l, prefix) && !strings.Contains(l, ">"+prefix+"<") {
			rest = append(rest, l)
		}
	}
	return rest
}

// TestBenchWritesAbsFiles compares the files of -e and -g by their form.
func TestBenchWritesAbsFiles(t *testing.T) {
	ab := needAb(t)
	server := fixedServer(t, nil)
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

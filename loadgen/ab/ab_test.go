package ab

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

const ms = time.Millisecond

// observed is a hundred requests of 1 to 100 ms, some of them not good.
func observed(variable bool) *Figures {
	t := NewTally(variable)
	for i := 1; i <= 100; i++ {
		r := loadgen.Result{
			Start: time.Duration(i) * ms, Latency: time.Duration(i) * ms, Connect: time.Duration(i%5) * ms / 4, Wait: time.Duration(i) * ms / 2,
			Status: 200, In: 150, Out: 80, Body: 13, Kept: i%2 == 0, Server: []byte("fixed/1.0"),
		}
		switch {
		case i%50 == 7:
			r.Status, r.Cause = 503, loadgen.CauseStatus
		case i%50 == 8:
			r.Body = 14
		case i%50 == 9:
			r.Status, r.Cause, r.Body, r.Kept, r.Err = 0, loadgen.CauseReset, 0, false, errors.New("reset")
		case i == 20:
			r.Status, r.Cause, r.Out = 0, loadgen.CauseRefused, 0
		case i == 22:
			r.Status, r.Cause = 0, loadgen.CauseTLS
		}
		t.Observe(i%loadgen.MaxShards, &r)
	}
	return t.Figures(2 * time.Second)
}

func TestText(t *testing.T) {
	page := Page{
		Host: "localhost", Port: "443", Path: "/a?b=c", Concurrency: 10, KeepAlive: true, SentBody: true,
		TLS: "TLSv1.3,TLS_AES_128_GCM_SHA256,2048,128", TempKey: "X25519 253 bits", ServerName: "localhost",
	}
	for name, c := range map[string]struct {
		page    Page
		figures *Figures
	}{
		"full.txt":    {page, observed(false)},
		"brief.txt":   {Page{Host: "127.0.0.1", Port: "80", Path: "/", Concurrency: 1, NoConfidence: true, NoPercentiles: true, Variable: true}, observed(true)},
		"nothing.txt": {Page{Host: "127.0.0.1", Port: "80", Path: "/", Concurrency: 1}, NewTally(false).Figures(0)},
	} {
		var b bytes.Buffer
		if err := Text(&b, c.page, c.figures); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
	var b bytes.Buffer
	page.Table, page.Row, page.Cell, page.Path = "border=1", "align=left", "bgcolor=white", "/<script>"
	if err := HTML(&b, page, observed(false)); err != nil {
		t.Fatal(err)
	}
	golden(t, "full.html", b.String())
}

// A bound on what is in flight says nothing of how long requests take.
func TestTimePerRequestOfOpenLoad(t *testing.T) {
	var b bytes.Buffer
	if err := Text(&b, Page{Concurrency: 1000, Open: true}, observed(false)); err != nil {
		t.Fatal(err)
	}
	if want := "Time per request:       51.458 [ms] (mean)\nTime per request:       20.000 [ms] (mean, across all"; !strings.Contains(b.String(), want) {
		t.Errorf("%q is missing in\n%s", want, b.String())
	}
}

// TestFigures wants every request in exactly one place.
func TestFigures(t *testing.T) {
	f := observed(false)
	if f.Complete != 100 || f.Lost != 4 || f.Receive != 2 || f.Connect != 1 || f.Exceptions != 1 || f.Length != 2 || f.Non2xx != 2 || f.Failed() != 6 {
		t.Errorf("%+v", f)
	}
	p := &f.phases[total]
	if p.n != 96 || p.at(0) != 1 || p.at(1) != 100 || p.at(0.5) < 51 || p.at(0.5) > 53.1 {
		t.Errorf("%d requests from %v to %v ms, median %v", p.n, p.at(0), p.at(1), p.at(0.5))
	}
}

func TestDeviationIsThatOfASample(t *testing.T) {
	var p phase
	p.min = time.Hour
	for _, d := range []time.Duration{2, 4, 4, 4, 5, 5, 7, 9} {
		p.add(d * ms)
	}
	if p.mean() < 4.999 || p.mean() > 5.001 || p.deviation() < 2.1380 || p.deviation() > 2.1382 {
		t.Errorf("mean %v, deviation %v", p.mean(), p.deviation())
	}
}

func TestFiles(t *testing.T) {
	var b bytes.Buffer
	if err := Percentiles(&b, observed(false)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if len(lines) != 103 || lines[0] != "Percentage served,Time in ms" || lines[1] != "0,1.000" || lines[101] != "100,100.000" || lines[102] != "" {
		t.Errorf("%q", lines)
	}
	began := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	if got, want := string(AppendGnuplot(nil, began, ms, 5*ms/2, 600*time.Microsecond)), "Wed Mar  4 05:06:07 2026\t1772600767\t1\t2\t3\t1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

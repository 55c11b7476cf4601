package scenarios

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/reports/units"
)

const minimal = `name: minimal
target: {cluster: {}}
load:
  - {name: main, closed: {concurrency: 3}, duration: 5s}
`

func mustLoad(t *testing.T, text string, opts Options) *Scenario {
	t.Helper()
	s, err := LoadBytes("test.yaml", []byte(text), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoadSaysWhyItCannotRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, size int64, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if size > 0 {
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	for name, c := range map[string]struct{ path, want string }{
		"missing":     {filepath.Join(dir, "none.yaml"), "no such file, and no built-in scenario"},
		"misspelt":    {"worker-crsh", "did you mean worker-crash?"},
		"directory":   {dir, "is a directory"},
		"50 MB":       {file("large.yaml", 50<<20, []byte(minimal)), "larger than 1 MiB"},
		"empty":       {file("empty.yaml", 0, nil), "the file is empty"},
		"binary":      {file("binary.yaml", 0, []byte{0x7f, 'E', 'L', 'F', 0, 1, 0xff}), "not text"},
		"UTF-16":      {file("utf16.yaml", 0, []byte{0xff, 0xfe, 'a', 0}), "UTF-16"},
		"not UTF-8":   {file("latin1.yaml", 0, []byte("name: \xe9\n")), "not text"},
		"many values": {file("values.yaml", 0, []byte("a: ["+strings.Repeat("1,", 40_000)+"]")), "more than 30000 elements"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(c.path, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.want)
			}
		})
	}
}

// zeros never ends, as /dev/zero.
type zeros struct{ read int }

func (z *zeros) Read(b []byte) (int, error) {
	clear(b)
	z.read += len(b)
	return len(b), nil
}

func TestLoadStdin(t *testing.T) {
	s, err := Load("-", Options{Stdin: strings.NewReader(minimal)})
	if err != nil || s.File != "stdin" || s.Name != "minimal" {
		t.Fatalf("got %+v, %v", s, err)
	}
	endless := &zeros{}
	if _, err := Load("-", Options{Stdin: endless}); err == nil || endless.read > 4*MaxSize {
		t.Errorf("an endless input gave %v after %d bytes", err, endless.read)
	}
	failing := io.MultiReader(strings.NewReader("name: x"), errReader{})
	if _, err := Load("-", Options{Stdin: failing}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a failing input gave %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBuiltInWinsOverFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("steady", []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"steady": "steady", "./steady": "minimal"} {
		if s, err := Load(name, Options{}); err != nil || s.Name != want {
			t.Errorf("Load(%q) gave %v, %v, want %s", name, s, err, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	s := mustLoad(t, minimal+`chaos:
  - {name: k, kill: {}, at: 1s}
  - {name: p, pause: {workers: all}, at: 2s, for: 1s}
  - {name: e, exit: {}, at: 3s}
  - {name: m, kill: {process: main}, at: 4s}
budget: {objective: 99.95%}
`, Options{})
	sum := sha256.Sum256([]byte(minimal))
	if got := mustLoad(t, minimal, Options{}); got.SHA256 != hex.EncodeToString(sum[:]) || got.File != "test.yaml" {
		t.Errorf("file %s, sha256 %s", got.File, got.SHA256)
	}
	pause := units.Duration(100 * time.Millisecond)
	one := 1
	for name, c := range map[string]struct{ got, want any }{
		"seed":      {s.Seed, (*uint64)(nil)},
		"warmup":    {s.Warmup.Std(), time.Second},
		"ready":     {s.Ready, Ready{"/ready", units.Duration(10 * time.Second), []loadgen.StatusRange{{From: 200, To: 399}}}},
		"dispatch":  {s.Target.Cluster.Dispatch, "handoff"},
		"threads":   {s.Target.Cluster.Threads, 1},
		"restart":   {s.Target.Cluster.Restart.When, "on-failure"},
		"timeout":   {s.Load[0].Timeout.Std(), 5 * time.Second},
		"pause":     {s.Load[0].FailurePause, &pause},
		"requests":  {s.Load[0].Requests[0].Method + s.Load[0].Requests[0].Path, "GET/"},
		"probe":     {s.Probe.Probe, loadgen.Probe{Every: units.Duration(10 * time.Millisecond), Path: "/", Timeout: units.Duration(time.Second), Connections: "new"}},
		"kill":      {*s.Chaos[0].Kill, chaos.Kill{Selector: chaos.Selector{Workers: chaos.Count{N: 1}, Pick: "random"}, Signal: "SIGKILL"}},
		"pause all": {s.Chaos[1].Pause.Selector, chaos.Selector{Workers: chaos.Count{All: true}, Pick: "random"}},
		"exit":      {*s.Chaos[2].Exit, chaos.Exit{Selector: chaos.Selector{Workers: chaos.Count{N: 1}, Pick: "random"}, Code: &one}},
		"main":      {s.Chaos[3].Kill.Selector, chaos.Selector{Process: "main"}},
		"window":    {*s.Budget, Budget{0.9995, units.Duration(30 * 24 * time.Hour)}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s is %+v, want %+v", name, c.got, c.want)
		}
	}
}

func TestDefaultsThatFollowOtherValues(t *testing.T) {
	s := mustLoad(t, `name: a
target: {url: "http://[::1]:8080/"}
load:
  - {name: main, open: {rate: 5/s}, count: 5, requests: [{path: /first}, {path: /second}]}
`, Options{})
	if s.Probe.Path != "/first" || s.Ready.Path != "/first" {
		t.Errorf("probe %s, ready %s; want the first request's path", s.Probe.Path, s.Ready.Path)
	}
	if s.Load[0].Open.Senders != 1000 || !*s.Load[0].Open.Keepalive {
		t.Errorf("open load %+v", s.Load[0].Open)
	}
	if _, known := s.Duration(); known {
		t.Error("a stream that ends by its count has no known duration")
	}
}

func TestWrittenZerosAreNoDefaults(t *testing.T) {
	s := mustLoad(t, `name: zeros
seed: 0
warmup: 0s
target: {cluster: {reload: {delay: 0s}, limits: {connections: 0}, app: {breaker: {failures: 0, error_rate: 50%}}}}
load:
  - {name: main, closed: {concurrency: 3}, duration: 5s, failure_pause: 0s}
chaos:
  - {name: e, exit: {code: 0}, at: 0s}
`, Options{})
	if s.Seed == nil || *s.Seed != 0 || s.Warmup != 0 || *s.Load[0].FailurePause != 0 || *s.Chaos[0].Exit.Code != 0 {
		t.Errorf("a zero was overwritten: %+v", s)
	}
	if c := s.Target.Cluster; c.App.Breaker.Failures != 0 || c.Restart.MaxBackoff.Std() != 15*time.Second {
		t.Errorf("cluster %+v", c)
	}
}

// What matches a pattern is chosen among all processes, not among the workers.
func TestMatchIsNotBoundByTheWorkers(t *testing.T) {
	for _, target := range []string{"single: {}", "cluster: {workers: 2}"} {
		mustLoad(t, "name: a\ntarget: {"+target+"}\nload: [{name: main, closed: {concurrency: 1}, duration: 5s}]\n"+
			"chaos: [{name: k, kill: {match: hachaos, workers: 3}, at: 1s}]\n", Options{})
	}
}

func TestProbeSwitch(t *testing.T) {
	for text, off := range map[string]bool{"false": true, "off": true, "{off: true}": true, "true": false, "{}": false, "{every: 20ms}": false} {
		s := mustLoad(t, minimal+"probe: "+text+"\n", Options{})
		if s.Probe.Off != off {
			t.Errorf("probe: %s gives off %v", text, s.Probe.Off)
		}
	}
}

func TestYAMLForms(t *testing.T) {
	s := mustLoad(t, "\ufeff"+`%YAML 1.2
---
name: &name "forms"
description: |
  Two
  lines.
target:
  command:
    run: [server, --port, 8080, true]
    env: {PORT: 8080, DEBUG: true, EMPTY: "", RATIO: 0.50}
    url: http://localhost:8080/
load:
  - &main
    name: main
    closed: {concurrency: 3}
    duration: 5s
  - <<: *main
    name: other
    ? timeout
    : 2s
chaos:
slo:
...
`, Options{})
	command := s.Target.Command
	if !reflect.DeepEqual(command.Run, []string{"server", "--port", "8080", "true"}) {
		t.Errorf("run %q", command.Run)
	}
	if want := map[string]string{"PORT": "8080", "DEBUG": "true", "EMPTY": "", "RATIO": "0.50"}; !reflect.DeepEqual(command.Env, want) {
		t.Errorf("env %q", command.Env)
	}
	if s.Name != "forms" || s.Description != "Two\nlines.\n" || s.Load[1].Name != "other" || s.Load[1].Closed.Concurrency != 3 || s.Load[1].Timeout.Seconds() != 2 {
		t.Errorf("got %+v", s)
	}
	windows := strings.ReplaceAll(minimal, "\n", "\r\n")
	if s := mustLoad(t, windows, Options{}); s.Load[0].Closed.Concurrency != 3 {
		t.Error("line ends of Windows are not understood")
	}
}

func TestCommandFolderFollowsTheFile(t *testing.T) {
	text := `name: a
target: {command: {run: [app], url: "http://localhost:8080/"%s}}
load: [{name: main, closed: {concurrency: 1}, duration: 5s}]
`
	absolute := t.TempDir()
	for _, c := range []struct{ file, dir, want string }{
		{"some/where/a.yaml", "", "some/where"},
		{"some/where/a.yaml", "app", "some/where/app"},
		{"stdin", "", "."},
		{"some/where/a.yaml", absolute, absolute},
	} {
		dir := ""
		if c.dir != "" {
			dir = ", dir: '" + c.dir + "'"
		}
		s, err := LoadBytes(c.file, []byte(strings.Replace(text, "%s", dir, 1)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Target.Command.Dir; got != filepath.FromSlash(c.want) {
			t.Errorf("%s with dir %q runs in %q, want %q", c.file, c.dir, got, c.want)
		}
	}
}

func TestRemoteNeedsPermission(t *testing.T) {
	text := "name: r\ntarget: {url: \"%s\"}\nload: [{name: main, closed: {concurrency: 1}, duration: 5s}]\n"
	for url, loopback := range map[string]bool{
		"http://localhost/": true, "http://LOCALHOST:80": true, "https://127.8.9.1:1/": true, "http://[::1]:8080/": true,
		"http://user:pass@localhost/": true, "http://localhost.example.com/": false, "http://127.0.0.1.nip.io/": false,
		"http://10.0.0.1/": false, "http://[::2]/": false, "http://0.0.0.0/": false, "http://2130706433/": false,
	} {
		data := []byte(strings.Replace(text, "%s", url, 1))
		if _, err := LoadBytes("r.yaml", data, Options{}); (err == nil) != loopback {
			t.Errorf("%s: %v, want allowed %v", url, err, loopback)
		}
		if _, err := LoadBytes("r.yaml", data, Options{AllowRemote: true}); err != nil {
			t.Errorf("%s with --allow-remote: %v", url, err)
		}
		if _, err := LoadBytes("r.yaml", append(data, "allow_remote: true\n"...), Options{}); err != nil {
			t.Errorf("%s with allow_remote: %v", url, err)
		}
	}
}

func TestSeedOverride(t *testing.T) {
	seed := uint64(7)
	s := mustLoad(t, "seed: 42\n"+minimal, Options{Seed: &seed})
	if *s.Seed != 7 {
		t.Errorf("seed %d", *s.Seed)
	}
	if s := mustLoad(t, "seed: 18446744073709551615\n"+minimal, Options{}); *s.Seed != 1<<64-1 {
		t.Errorf("seed %d", *s.Seed)
	}
}

func TestMistakesAreBounded(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(minimal)
	for i := range 70 {
		b.WriteString(strings.Repeat("q", i+20) + ": 1\n")
	}
	_, err := LoadBytes("many.yaml", b.Bytes(), Options{})
	var mistakes *Mistakes
	if !errors.As(err, &mistakes) || len(mistakes.List) != 70 {
		t.Fatalf("got %v", err)
	}
	if text := err.Error(); !strings.HasSuffix(text, "\nand 20 more") || strings.Count(text, "unknown key") != 50 {
		t.Errorf("printed %s", text)
	}
}

package reports

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

func TestRedact(t *testing.T) {
	for _, c := range []struct {
		in, want string
		secrets  []string
	}{
		{"http://127.0.0.1:8080/a?b=c", "http://127.0.0.1:8080/a?b=c", nil},
		{"dial http://user:pa@ss@host/x: refused", "dial http://***@host/x: refused", nil},
		{"postgres://me@db/x?sslmode=off&password=hunter2&x=1", "postgres://***@db/x?sslmode=off&password=***&x=1", nil},
		{"mail me@example.com", "mail me@example.com", nil},
		{"Authorization: Basic dXNlcjpwYXNz", "Authorization: ***", nil},
		{"authorization: Bearer abc.def, retried\nHost: x", "authorization: ***\nHost: x", nil},
		{"Set-Cookie: sid=1; Path=/", "Set-Cookie: ***", nil},
		{`{"Cookie": "sid=1", "Host": "x"}`, `{"Cookie": ***, "Host": "x"}`, nil},
		{`map[Authorization:[Bearer abcdef] Accept:[*/*]]`, `map[Authorization:*** Accept:[*/*]]`, nil},
		{"sent Bearer abcdef.ghi to it", "sent Bearer *** to it", nil},
		{"password=abc token: xyz API_KEY='q r' secret=1", "password=*** token: *** API_KEY=*** secret=***", nil},
		{"MY_APP-DB_PASSWORD=abc", "MY_APP-DB_PASSWORD=***", nil},
		{"basic service of the bearer", "basic *** of the bearer", nil}, // better one word too many
		{"key is s3cr3t! and %23", "key is *** and %23", []string{"s3cr3t!"}},
		{"/?k=a%2Fb%26c and a/b&c and a%2Fb&c", "/?k=*** and *** and ***", []string{"a/b&c"}},
		{"abcdef abc abcd", "*** *** abcd", []string{"abcdef", " abc"}}, // a short one only as a word
		{"Cookie: s3cret; other=1", "Cookie: ***", []string{"s3cret"}},
		{"it took 1 of 12 in w1, port=1", "it took *** of 12 in w1, port=***", []string{"1"}},
		{"nothing", "nothing", []string{"", "  ", "***"}},
	} {
		got := Redact(c.in, c.secrets...)
		if got != c.want {
			t.Errorf("Redact(%q, %q) = %q, want %q", c.in, c.secrets, got, c.want)
		}
		if again := Redact(got, c.secrets...); again != got {
			t.Errorf("Redact(%q) changes what was redacted to %q", got, again)
		}
	}
}

// A secret in any text that a run carries is in no text of its report.
func TestFoldRedactsEveryText(t *testing.T) {
	const secret = "hunter2hunter2"
	run := crashRun()
	run.Interrupted = "SIGINT"
	fillTexts(reflect.ValueOf(&run.Scenario).Elem(), secret)
	run.Scenario.SHA256 = ""
	run.Target.URL = "http://x/" + secret
	run.Failure, run.Aborted = secret, secret
	run.Warnings = []string{secret}
	run.Events = []Event{{Source: secret, What: secret}}
	run.Resources = []Resource{{Process: secret}}
	run.Faults[0].Detail, run.Faults[0].Error = secret, secret
	run.Faults[1].State = chaos.Failed
	run.Faults[1].Error = "http://u:" + secret + "@h/"
	run.Loads[0].Examples[loadgen.CauseReset] = secret
	run.Loads[0].Examples[loadgen.CauseGenerator] = secret
	run.Loads[0].Failures[loadgen.CauseGenerator] = 1
	run.Loads[0].Workers["w-"+secret] = 1
	run.Probes[0].Examples = map[loadgen.Cause]string{loadgen.CauseReset: secret}
	if text := written(t, Fold(run)); !strings.Contains(text, secret) {
		t.Fatal("the test shows nothing: the secret is nowhere")
	}
	run.Secrets = []string{secret}
	r := Fold(run)
	for _, text := range []string{written(t, r), textOf(t, r, TextOptions{})} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("the secret stands in …%s", text[max(0, i-80):i+20])
		}
	}
	if run.Faults[0].Detail != secret || run.Warnings[0] != secret {
		t.Error("Fold changed the run")
	}
}

// What is cut is cut after the secrets are gone: none leaves its head behind.
func TestExcerpt(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, c := range []struct{ in, want string }{
		{"connection refused", "connection refused"},
		{strings.Repeat("x", 290) + " " + secret, strings.Repeat("x", 290) + " ***"},
		{strings.Repeat("x", 292) + " " + secret + " it said", strings.Repeat("x", 292) + " *** it …"},
		{strings.Repeat("é", 200), strings.Repeat("é", 150) + "…"},
		{"x" + strings.Repeat("é", 200), "x" + strings.Repeat("é", 149) + "…"},
	} {
		got := Excerpt(c.in, secret)
		if got != c.want {
			t.Errorf("Excerpt(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	run := crashRun()
	run.Secrets = []string{secret}
	run.Loads[0].Examples[loadgen.CauseReset] = strings.Repeat("x", 295) + secret
	run.Probes[0].Examples = map[loadgen.Cause]string{loadgen.CauseReset: strings.Repeat("x", 295) + secret}
	if text := written(t, Fold(run)); strings.Contains(text, "hunt") {
		t.Error("the head of a secret stands in the report")
	}
}

// fillTexts sets every text within v.
func fillTexts(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && v.Field(i).Type() != reflect.TypeFor[time.Time]() {
				fillTexts(v.Field(i), text)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			fillTexts(v.Index(i), text)
		}
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String && v.Type().Elem().Kind() == reflect.String {
			for _, k := range v.MapKeys() {
				v.SetMapIndex(k, reflect.ValueOf(text).Convert(v.Type().Elem()))
			}
			v.SetMapIndex(reflect.ValueOf(text).Convert(v.Type().Key()), reflect.ValueOf(text).Convert(v.Type().Elem()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fillTexts(v.Elem(), text)
		}
	}
}

// No text of a report can drive a terminal, wherever it comes from.
func TestTextIsCleanOfControlCharacters(t *testing.T) {
	evil := "a\x1b[2J\x1b]0;x\x07\r\n\tb\u009b1m\u202ec\u200b\xffd"
	run := crashRun()
	run.Loads = append(run.Loads, stream("other", 3))
	skipped := kill("late", 1, 9*time.Second)
	skipped.State, skipped.Error = chaos.Skipped, "x"
	run.Faults = append(run.Faults, skipped)
	run.Events = []Event{{AtS: 1, Source: "a", What: "b"}, {AtS: 1, Source: "a", What: "worker 1 (pid 2) went"}}
	run.Warnings = []string{"x"}
	run.Objectives = append(run.Objectives, objectives("availability >= 100%", "nobody.failed < 5", "uptime >= 1%")...)
	for _, kind := range []string{"cluster", "single", "command", "url", evil} {
		r := Fold(run)
		state := r.Faults[2].State
		fillTexts(reflect.ValueOf(r).Elem(), evil)
		r.Target.Kind, r.Faults[2].State, r.Faults[0].State = kind, state, "done"
		r.Budget = Fold(crashRun()).Budget
		other := Fold(crashRun()) // another name: two sides, and so a pair
		suite := NewSuite(r, other)
		fillTexts(reflect.ValueOf(suite.Comparison).Elem(), evil)
		text := textOf(t, suite, TextOptions{Width: 90})
		for i, line := range strings.Split(text, "\n") {
			if strings.ContainsFunc(line, unsafeRune) {
				t.Errorf("line %d of a %s drives the terminal: %q", i, kind, line)
			}
		}
		if !strings.Contains(text, `a\x1b[2J\x1b]0;x\x07\x0d  b\x9b1m\u202ec\u200b`+"\ufffdd") {
			t.Errorf("the text is not shown:\n%s", text)
		}
		if why := r.Reason(); why == "" || strings.ContainsFunc(why, unsafeRune) {
			t.Errorf("the reason is %q", why)
		}
	}
}

func TestFaultLine(t *testing.T) {
	e := kill("crash", 1, 3120*time.Millisecond)
	if got, want := FaultLine(e, false), "   3.1s  crash#1     SIGKILL worker 1 (pid 4711)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e.State, e.Error = chaos.Skipped, "its victim had ended\x1b"
	if got, want := FaultLine(e, false), `   3.1s  crash#1     SIGKILL worker 1 (pid 4711) skipped: its victim had ended\x1b`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := FaultLine(e, true); !strings.Contains(got, "\x1b[1mcrash#1") {
		t.Errorf("no colour in %q", got)
	}
}

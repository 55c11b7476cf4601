package scenarios

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	values := Values{Port: 8080, Env: testEnv, URLs: map[string]string{"db": "postgres://127.0.0.1:5432/"}}
	for _, c := range []struct {
		text, want, err string
		offset          int
	}{
		{text: "", want: ""},
		{text: "plain $PORT {port} $", want: "plain $PORT {port} $"},
		{text: "http://127.0.0.1:${port}/", want: "http://127.0.0.1:8080/"},
		{text: "${port}${port}", want: "80808080"},
		{text: "Bearer ${env:TOKEN}", want: "Bearer s3cret-token"},
		{text: "[${env:EMPTY}]", want: "[]"},
		{text: "$${port}", want: "${port}"},
		{text: "$$${port}", want: "$${port}"},
		{text: "$${${port}}", want: "${8080}"},
		{text: "é ${env:UNSET}", err: "the environment variable UNSET is not set", offset: 2},
		{text: "${port", err: "never closed"},
		{text: "${port} ${", err: "never closed", offset: 8},
		{text: "${Port}", err: "unknown template ${Port}"},
		{text: "${}", err: "unknown template ${}"},
		{text: "<${db.url}>", want: "<postgres://127.0.0.1:5432/>"},
		{text: "${cache.url}", err: `there is no dependency named "cache"`},
		{text: "${env:}", err: "not the name of an environment variable"},
		{text: "${env:A B}", err: "not the name of an environment variable"},
	} {
		got, err := Expand(c.text, values)
		if c.err == "" {
			if err != nil || got != c.want {
				t.Errorf("%q gave %q, %v; want %q", c.text, got, err, c.want)
			}
			continue
		}
		var wrong *TemplateError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.err) || wrong.Offset != c.offset {
			t.Errorf("%q gave %+v, want %q at %d", c.text, err, c.err, c.offset)
		}
	}
}

const templated = `name: templated
target:
  command:
    run: [app, "--port=${port}", "$${HOME}"]
    env: {PORT: "${port}", SECRET: "${env:TOKEN}", OWN: "${own.url}"}
    url: "http://user:pa55word@127.0.0.1:${port}/"
    reload: {run: [reload, "${port}"]}
load:
  - name: main
    closed: {concurrency: 1}
    duration: 5s
    requests:
      - headers: {Authorization: "Bearer fixed-token", X-Port: "${port}", Cookie: "id=${env:TOKEN}"}
        body: "port ${port}"
dependencies:
  own: {kind: http}
  far: {kind: redis, url: "redis://:hunter22@127.0.0.1:6379/${env:EMPTY}"}
chaos:
  - {name: e, exec: {run: [do, "${port}"], revert: [undo, "${env:TOKEN}"]}, at: 1s}
`

func TestScenarioExpand(t *testing.T) {
	s := mustLoad(t, templated, Options{Env: testEnv})
	before := mustLoad(t, templated, Options{Env: testEnv})
	x, err := s.Expand(4711, map[string]string{"own": "http://127.0.0.1:9", "far": "redis://127.0.0.1:8"})
	if err != nil {
		t.Fatal(err)
	}
	command, request := x.Target.Command, x.Load[0].Requests[0]
	for _, c := range []struct{ got, want any }{
		{command.Run, []string{"app", "--port=4711", "${HOME}"}},
		{command.Env, map[string]string{"PORT": "4711", "SECRET": "s3cret-token", "OWN": "http://127.0.0.1:9"}},
		{x.Dependencies["far"].URL, "redis://:hunter22@127.0.0.1:6379/"},
		{command.URL, "http://user:pa55word@127.0.0.1:4711/"},
		{command.Reload.Run, []string{"reload", "4711"}},
		{request.Headers, map[string]string{"Authorization": "Bearer fixed-token", "X-Port": "4711", "Cookie": "id=s3cret-token"}},
		{request.Body, "port 4711"},
		{x.Chaos[0].Exec.Run, []string{"do", "4711"}},
		{x.Chaos[0].Exec.Revert, []string{"undo", "s3cret-token"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if s.env, before.env = nil, nil; !reflect.DeepEqual(s, before) {
		t.Error("Expand changed the scenario it was called on")
	}
}

func TestSecrets(t *testing.T) {
	secrets := mustLoad(t, templated, Options{Env: testEnv}).Secrets()
	for _, want := range []string{"s3cret-token", "hunter22", "pa55word", "user:pa55word", "Bearer fixed-token", "fixed-token"} {
		if !slices.Contains(secrets, want) {
			t.Errorf("%q is not among the secrets %q", want, secrets)
		}
	}
	for i, secret := range secrets {
		if len(secret) < 4 || i > 0 && len(secret) > len(secrets[i-1]) {
			t.Errorf("%q stands wrong in %q", secret, secrets)
		}
	}
}

func TestHeaderCannotBeSplit(t *testing.T) {
	env := func(string) (string, bool) { return "a\r\nX-Injected: b", true }
	_, err := LoadBytes("t.yaml", []byte(templated), Options{Env: env})
	if err == nil || !strings.Contains(err.Error(), "breaks the line") || strings.Contains(err.Error(), "X-Injected") {
		t.Errorf("got %v", err)
	}
}

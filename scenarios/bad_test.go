package scenarios

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// testEnv is the environment of the scenarios in testdata.
func testEnv(name string) (string, bool) {
	value, ok := map[string]string{"TOKEN": "s3cret-token", "HOST": "db.internal.example", "EMPTY": ""}[name]
	return value, ok
}

// systemSignals is the list of signals in a message, which differs by system.
var systemSignals = regexp.MustCompile(`\(one of SIG[^)]*\)`)

// TestBadScenarios loads every file in testdata/bad and compares the error with
// the golden file beside it.
func TestBadScenarios(t *testing.T) {
	t.Chdir(filepath.Join("testdata", "bad"))
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			_, err := Load(file, Options{Env: testEnv})
			var mistakes *Mistakes
			if !errors.As(err, &mistakes) {
				t.Fatalf("got %v, want *Mistakes", err)
			}
			for _, m := range mistakes.List {
				if strings.Contains(m.Message, "\n") || m.Message == "" || m.File != file {
					t.Errorf("mistake %+v", m)
				}
			}
			got := systemSignals.ReplaceAllString(err.Error(), "(one of …)") + "\n"
			if strings.ContainsAny(got, "\x1b\x00") {
				t.Errorf("control characters in %q", got)
			}
			for _, secret := range []string{"s3cret-token", "db.internal.example", "hunter22"} {
				if strings.Contains(got, secret) {
					t.Errorf("a secret is shown: %s", got)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", got)
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (rewrite with -update)\ngot:\n%swant:\n%s", file, got, want)
	}
}

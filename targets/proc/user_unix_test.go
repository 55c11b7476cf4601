//go:build unix

package proc_test

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/targets/proc"
)

// Who runs as another user may be asked for its environment by that user.
func TestAnotherUserInheritsNoSecrets(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root starts processes of other users")
	}
	for name, value := range map[string]string{"CI_TOKEN": "secret", "LC_TIME": "C", "TZ": "UTC"} {
		t.Setenv(name, value)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := proc.Start(proc.Command{Path: "env", Dir: "/", User: "nobody", Env: []string{proc.RunVar + "=some"}, Stdout: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	text, err := io.ReadAll(r)
	if err != nil || p.Exit().Failed() {
		t.Fatalf("%s, %v", p.Exit(), err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, want := range []string{"PATH=" + os.Getenv("PATH"), "LC_TIME=C", "TZ=UTC", proc.RunVar + "=some"} {
		if !slices.Contains(lines, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if strings.Contains(string(text), "secret") {
		t.Error("it was given a secret")
	}
}

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hachaos/hachaos/scenarios"
)

// A signal that comes before the first run leaves an earlier report where it is.
func TestSignalBeforeTheFirstRun(t *testing.T) {
	dir := t.TempDir()
	path, summary := filepath.Join(dir, "r.json"), filepath.Join(dir, "summary.md")
	if err := os.WriteFile(path, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GITHUB_STEP_SUMMARY", summary)
	ctx, end := context.WithCancelCause(t.Context())
	end(&scenarios.SignalError{Signal: "SIGTERM"})
	var out, errOut bytes.Buffer
	code := execute(ctx, []string{"run", "steady", "-o", path}, nil, &out, &errOut)
	text, err := os.ReadFile(path)
	if code != 143 || string(text) != "earlier" || err != nil {
		t.Errorf("exit code %d, the file says %q (%v):\n%s%s", code, text, err, &out, &errOut)
	}
	if _, err := os.Stat(summary); err == nil {
		t.Error("a run that was not begun is summed up")
	}
}

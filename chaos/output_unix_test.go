//go:build unix

package chaos

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestARevertNeedsNoDisk(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", filepath.Join(dir, "missing"))
	r := Revert{Run: []string{"sh", "-ec", "echo freeing; touch undone"}, Dir: dir}
	if err := r.Play(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "undone")); err != nil {
		t.Errorf("not undone: %v", err)
	}
	r.Run = []string{"sh", "-c", "echo no way back >&2; exit 3"}
	err := r.Play(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "run sh: exit status 3") {
		t.Errorf("error %v", err)
	}
	if err != nil && runtime.GOOS == "linux" && !strings.HasSuffix(err.Error(), ": no way back") {
		t.Errorf("error %q does not say what it printed", err)
	}
}

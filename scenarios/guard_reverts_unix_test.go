//go:build unix

package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/targets/proc"
)

// What was begun by a controller that has ended is not to work against what the
// guard does.
func TestGuardEndsCommandsBeforeItUndoes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	g, err := StartGuard(guardCommand(t), "commands-first")
	if err != nil {
		t.Fatal(err)
	}
	command := role(t, "sleep", "", nil)
	t.Cleanup(command.Kill)
	log := filepath.Join(t.TempDir(), "log")
	look := fmt.Sprintf("grep -q '^State:[[:space:]]*[DIRSTt]' /proc/%d/status && echo beside >> %s; echo undone >> %[2]s", command.PID(), log)
	if err := g.Command(command.ID()); err != nil {
		t.Fatal(err)
	}
	if err := g.Open("a#1", chaos.Revert{Run: []string{"sh", "-c", look}}); err != nil {
		t.Fatal(err)
	}
	report, err := g.Dismiss()
	if err != nil || len(report.Ended) != 1 || len(report.Errors) > 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
	if text, _ := os.ReadFile(log); string(text) != "undone\n" {
		t.Errorf("the revert found %q", text)
	}
}

// A guard that is late is ended together with the revert that it is playing, before
// the same one is played in its place.
func TestStandInEndsTheGuardsRevert(t *testing.T) {
	g, err := StartGuard(guardCommand(t), "late-guard")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.answer.Close() })
	log := filepath.Join(t.TempDir(), "pids")
	hangOnce := fmt.Sprintf(`[ -e %[1]s ]; again=$?; echo $$ >> %[1]s; [ $again = 0 ] || exec sleep 600`, log)
	if err := g.Open("a#1", chaos.Revert{Run: []string{"sh", "-c", hangOnce}}); err != nil {
		t.Fatal(err)
	}
	g.journal.Close()
	pids := func() []string {
		text, _ := os.ReadFile(log)
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	await(t, "the guard plays the revert", func() bool { return pids()[0] != "" })
	first, err := strconv.Atoi(pids()[0])
	if err != nil {
		t.Fatal(err)
	}
	hanging, err := proc.Lookup(first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proc.Signal(hanging.ID, os.Kill) })
	report := g.standIn()
	if len(report.Errors) > 0 || fmt.Sprint(report.Reverted) != "[a#1]" || len(pids()) != 2 {
		t.Errorf("report %+v, played by %v", report, pids())
	}
	if proc.Alive(hanging.ID) {
		t.Error("the guard's revert goes on")
	}
}

// A revert that hangs is ended, told, and keeps no other from being played; who
// waits for the guard waits for as many as there are.
func TestARevertThatHangs(t *testing.T) {
	w := newWatch("hung-revert")
	if w.revertFor < chaos.RevertTimeout {
		t.Errorf("the guard gives a revert %v, the controller %v", w.revertFor, chaos.RevertTimeout)
	}
	none := w.patience()
	frozen := role(t, "sleep", "", nil)
	t.Cleanup(frozen.Kill)
	w.take(guardNote{Open: "freeze#1", Revert: &chaos.Revert{Thaw: []proc.ID{frozen.ID()}}})
	w.take(guardNote{Open: "hang#1", Revert: &chaos.Revert{Run: []string{"sleep", "600"}}})
	if more := w.patience() - none; more < 2*chaos.RevertTimeout {
		t.Errorf("two reverts are waited for %v longer than none", more)
	}
	w.revertFor = 50 * time.Millisecond
	report := w.end()
	if len(report.Errors) != 1 || !strings.Contains(report.Errors[0], "hang#1: revert: run sleep: not finished in time") {
		t.Errorf("errors %q", report.Errors)
	}
	if fmt.Sprint(report.Reverted) != "[freeze#1]" {
		t.Errorf("reverted %v", report.Reverted)
	}
}

// Where nobody is left to tell, a file does.
func TestGuardLeavesWordOfWhatItCouldNotUndo(t *testing.T) {
	const run = "nobody-to-tell"
	dir := t.TempDir()
	controller(t, run, filepath.Join(dir, "folder"), "echo no way back >&2; exit 1", "TMPDIR="+dir).Kill()
	file := filepath.Join(dir, "hachaos-"+run+"-not-put-back.txt")
	want := "\n- script#1: revert: run sh: exit status 1: no way back\n"
	await(t, "the guard's file", func() bool {
		text, _ := os.ReadFile(file)
		return strings.HasSuffix(string(text), want)
	})
	if at, err := os.Stat(file); err != nil || at.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", at.Mode(), err)
	}
}

// A target may play a run of its own: when the outer run ends it, what the inner one
// broke is put back all the same, and nothing of either is left.
func TestARunWithinARun(t *testing.T) {
	const outer, inner = "outer-run", "inner-run"
	g, err := StartGuard(guardCommand(t), outer)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mark := filepath.Join(dir, "undone")
	// Slow, so that it is not done by chance before it can be ended.
	c := controller(t, inner, filepath.Join(dir, "folder"), "sleep 1; touch "+mark, proc.RunVar+"="+outer)
	if err := g.Process(c.ID()); err != nil {
		t.Fatal(err)
	}
	report, err := g.Dismiss()
	if err != nil || len(report.Errors) > 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
	if !exists(mark) {
		t.Error("what the inner run broke was not put back")
	}
	if left := append(ofRun(t, outer), ofRun(t, inner)...); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

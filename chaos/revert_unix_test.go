//go:build unix

package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/targets/proc"
)

// noting is a journal that keeps which commands ran.
type noting struct {
	journal
	begun, ended []int
	refuse       error
}

func (n *noting) Command(id proc.ID) error {
	n.begun = append(n.begun, id.PID)
	return n.refuse
}

func (n *noting) CommandEnded(id proc.ID) error {
	n.ended = append(n.ended, id.PID)
	return nil
}

// What whoever takes over does not know of, it cannot end.
func TestARunningRevertStandsInTheJournal(t *testing.T) {
	dir := t.TempDir()
	r := Revert{Run: []string{"sh", "-c", "echo $$ > pid"}, Dir: dir}
	for _, refuse := range []error{nil, errors.New("the guard has ended")} {
		j := &noting{refuse: refuse}
		if err := r.Play(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			t.Fatalf("not played (the journal says %v): %v", refuse, err)
		}
		want := fmt.Sprintf("[%s] [%[1]s]", strings.TrimSpace(string(text)))
		if got := fmt.Sprint(j.begun, j.ended); got != want {
			t.Errorf("noted %s, want %s", got, want)
		}
		os.Remove(filepath.Join(dir, "pid"))
	}
}

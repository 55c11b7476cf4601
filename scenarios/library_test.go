package scenarios

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLibraryIsValid(t *testing.T) {
	files, err := library.ReadDir("library")
	if err != nil {
		t.Fatal(err)
	}
	var stored, listed []string
	for _, f := range files {
		stored = append(stored, strings.TrimSuffix(f.Name(), filepath.Ext(f.Name())))
	}
	for _, e := range Library() {
		listed = append(listed, e.Name)
		t.Run(e.Name, func(t *testing.T) {
			s, err := Load(e.Name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != e.Name || s.Seed == nil {
				t.Errorf("named %q, seed %v", s.Name, s.Seed)
			}
			if n := strings.Count(e.Description, ". ") + 1; n < 2 || n > 3 || !strings.HasSuffix(e.Description, ".") {
				t.Errorf("%d sentences: %s", n, e.Description)
			}
			if e.Summary == "" || len(e.Summary) > 120 || !strings.HasPrefix(e.Description, e.Summary) {
				t.Errorf("summary %q", e.Summary)
			}
			duration, known := s.Duration()
			if !known || duration < time.Second || duration > 16*time.Second {
				t.Errorf("lasts %v", duration)
			}
			if len(s.SLO) == 0 || s.Budget == nil {
				t.Error("has no objectives or no budget")
			}
			for _, o := range s.SLO {
				if strings.HasPrefix(o.Metric, "p") || o.Metric == "max" || o.Metric == "mean" {
					if o.Value < 2 {
						t.Errorf("%s is too tight for two busy cores", o.Expr)
					}
				}
			}
		})
	}
	slices.Sort(stored) // without their endings, unlike the files
	slices.Sort(listed)
	if !slices.Equal(stored, listed) {
		t.Errorf("stored are %q, listed %q", stored, listed)
	}
}

// What shows the cluster is to be seen in two minutes, half a second included for
// the start and the end of each run.
func TestClusterScenariosAreShort(t *testing.T) {
	var sum time.Duration
	for _, name := range []string{
		"kill-modes", "reload-modes", "memory-restart", "crash-loop", "hung-worker", "hung-worker-liveness",
		"master-kill-passive", "master-kill-active", "sticky", "proxy-retry", "drain-no-delay", "drain-delay",
		"slow-worker", "weights", "backup", "broadcast", "overload", "overload-limited",
	} {
		variants, err := LoadAll(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range variants {
			duration, _ := s.Duration()
			sum += s.Warmup.Std() + duration + 500*time.Millisecond
		}
	}
	t.Log(sum)
	if sum >= 110*time.Second { // some end later, with requests that are on their way
		t.Errorf("they take %v", sum)
	}
}

func TestSourceKnowsOnlyTheLibrary(t *testing.T) {
	if data, err := Source("steady"); err != nil || !strings.HasPrefix(string(data), "name: steady\n") {
		t.Errorf("got %q, %v", data, err)
	}
	for _, name := range []string{"", "none", "steady.yaml", "../library/steady", "library/steady", "./steady", ".", "/"} {
		if _, err := Source(name); err == nil {
			t.Errorf("%q is taken for a built-in scenario", name)
		}
	}
}

func TestWorkerCrashKillsOften(t *testing.T) {
	s, err := Load("worker-crash", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if crash := s.Chaos[0]; crash.Kill == nil || crash.Count < 4 {
		t.Errorf("got %+v", crash)
	}
}

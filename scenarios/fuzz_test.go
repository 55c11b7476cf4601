package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad feeds any bytes to the loader, as a file and as a --set: it must
// neither panic nor accept what it cannot expand, and every mistake it reports
// lies in the text.
func FuzzLoad(f *testing.F) {
	for _, e := range Library() {
		source, _ := Source(e.Name)
		f.Add(source, "load.main.duration=5s")
	}
	for _, text := range []string{minimal, settable, templated} {
		f.Add([]byte(text), "chaos=")
	}
	bad, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range bad {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "load.0.requests.0.headers={a: &x [*x]}")
	}
	f.Fuzz(func(t *testing.T, data []byte, set string) {
		if len(data) > 1<<16 {
			return // large inputs only slow the search down
		}
		for _, sets := range [][]string{nil, {set}} {
			s, err := LoadBytes("fuzz.yaml", data, Options{Env: testEnv, Sets: sets})
			if err == nil {
				if _, err := s.Expand(8080, s.anyURLs()); err != nil {
					t.Errorf("valid, but cannot be expanded: %v", err)
				}
				continue
			}
			var mistakes *Mistakes
			if !errors.As(err, &mistakes) || len(mistakes.List) == 0 {
				t.Fatalf("got %T %v", err, err)
			}
			lines := max(strings.Count(string(data), "\n"), strings.Count(set, "\n")) + 2
			for _, m := range mistakes.List {
				if m.Line < 0 || m.Line > lines || m.Line > 0 && m.Column < 1 || strings.ContainsAny(m.Message, "\n\x1b") {
					t.Errorf("mistake %+v", m)
				}
			}
		}
	})
}

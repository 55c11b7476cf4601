package reports

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func say(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.json")
	for _, text := range []string{"first", "second"} {
		if err := WriteFile(path, say(text)); err != nil {
			t.Fatal(err)
		}
		holds(t, path, text)
	}
	if runtime.GOOS != "windows" {
		at, err := os.Stat(path)
		if err != nil || at.Mode().Perm()&^0o644 != 0 || at.Mode().Perm()&0o600 != 0o600 {
			t.Errorf("mode %v, %v", at.Mode(), err)
		}
	}
	onlyFiles(t, dir, "r.json")
}

// A report that its owner has closed to others, or opened, stays so.
func TestWriteFileKeepsTheMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "r.json")
	for _, mode := range []fs.FileMode{0o600, 0o666, 0o640} {
		if err := errors.Join(os.WriteFile(path, nil, mode), os.Chmod(path, mode), WriteFile(path, say("new"))); err != nil {
			t.Fatal(err)
		}
		if at, err := os.Stat(path); err != nil || at.Mode().Perm() != mode {
			t.Errorf("mode %v, want %v (%v)", at.Mode(), mode, err)
		}
		holds(t, path, "new")
	}
}

// What cannot be rendered leaves what stood there, and nothing beside it.
func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.json")
	if err := WriteFile(path, say("old")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path   string
		render func(io.Writer) error
		says   string
	}{
		"a full disk": {path, func(w io.Writer) error {
			io.WriteString(w, strings.Repeat("x", 1<<20))
			return &fs.PathError{Op: "write", Path: "temporary", Err: syscall.ENOSPC}
		}, "(free some space, or write elsewhere)"},
		"the renderer":  {path, func(io.Writer) error { return errors.New("no such figure") }, "no such figure"},
		"a folder":      {dir, say("x"), "(name a file in it)"},
		"no folder":     {filepath.Join(dir, "none", "r.json"), say("x"), "(create the folder first)"},
		"below a file":  {filepath.Join(path, "r.json"), say("x"), ""},
		"no permission": {path, func(io.Writer) error { return &os.LinkError{Err: syscall.EACCES} }, "may not be written to"},
	} {
		err := WriteFile(c.path, c.render)
		if err == nil || !strings.HasPrefix(err.Error(), "write "+c.path+": ") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "temporary") {
			t.Errorf("%s: %v", name, err)
		}
		holds(t, path, "old")
		onlyFiles(t, dir, "r.json")
	}
	func() {
		defer func() { recover() }()
		WriteFile(path, func(io.Writer) error { panic("a bug") })
	}()
	onlyFiles(t, dir, "r.json")
}

func TestWriteFileFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "r.json"), filepath.Join(dir, "latest.json")
	if err := WriteFile(path, say("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("r.json", link); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("links need a privilege on Windows")
		}
		t.Fatal(err)
	}
	if err := WriteFile(link, say("new")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "new")
	if target, err := os.Readlink(link); err != nil || target != "r.json" {
		t.Errorf("the link is %q, %v", target, err)
	}
}

// A link to where nothing is yet is one to a file that comes about.
func TestWriteFileFollowsLinksToNothing(t *testing.T) {
	dir := t.TempDir()
	real, links := filepath.Join(dir, "real", "folder"), filepath.Join(dir, "links")
	if err := errors.Join(os.MkdirAll(real, 0o700), os.Symlink(real, links)); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("links need a privilege on Windows")
		}
		t.Fatal(err)
	}
	// Through a linked folder, a relative link and another one.
	for link, target := range map[string]string{"a.json": "b.json", "b.json": filepath.Join("..", "r.json")} {
		if err := os.Symlink(target, filepath.Join(real, link)); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(links, "a.json")
	if err := errors.Join(CheckFile(link), WriteFile(link, say("new"))); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(dir, "real", "r.json"), "new")
	onlyFiles(t, real, "a.json", "b.json")
	holds(t, link, "new")

	for name, target := range map[string]string{"loop": "loop", "lost": filepath.Join("no", "folder", "r.json")} {
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(path, say("x")); err == nil {
			t.Errorf("%s: written", name)
		}
		if got, err := os.Readlink(path); err != nil || got != target {
			t.Errorf("%s: the link is %q, %v", name, got, err)
		}
	}
}

// Whether a file can be written is found out without writing it.
func TestCheckFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.json")
	if err := CheckFile(path); err != nil {
		t.Error(err)
	}
	onlyFiles(t, dir)
	if err := errors.Join(WriteFile(path, say("old")), CheckFile(path)); err != nil {
		t.Error(err)
	}
	holds(t, path, "old")
	onlyFiles(t, dir, "r.json")
	for path, says := range map[string]string{
		dir:                                    "(name a file in it)",
		filepath.Join(dir, "none", "r.json"):   "(create the folder first)",
		filepath.Join(dir, "r.json", "r.json"): "write ",
	} {
		if err := CheckFile(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
	onlyFiles(t, dir, "r.json")
}

func TestFormats(t *testing.T) {
	for path, want := range map[string]string{"r.json": "json", "a/b.c/R.JSON": "json", "x.txt": "txt"} {
		if f, err := FormatFor(path); err != nil || f.Name != want {
			t.Errorf("%s: %q, %v", path, f.Name, err)
		}
	}
	for path, says := range map[string]string{"r.pdf": "there is no format for .pdf (there are .json, ", "report": "no ending", "-": "no ending", "": "no ending"} {
		if _, err := FormatFor(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if f, err := FormatNamed("txt"); err != nil || f.Ending != ".txt" {
		t.Error(err)
	}
	if _, err := FormatNamed("pdf"); err == nil || !strings.Contains(err.Error(), "json, ") {
		t.Error(err)
	}
	r := Fold(crashRun())
	for _, f := range Formats() {
		for _, doc := range []Document{r, NewSuite(r, r)} {
			if err := WriteFile(filepath.Join(t.TempDir(), "r"+f.Ending), func(w io.Writer) error { return f.Write(w, doc) }); err != nil {
				t.Error(err)
			}
		}
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	var names []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err != nil || fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("%s holds %q, %v; want %q", dir, names, err, want)
	}
}

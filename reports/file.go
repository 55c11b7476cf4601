package reports

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile writes what render renders to path, whole or not at all: into a
// temporary file beside it first, which then takes its place. A file that stood
// there stays as it was until then, and stays for good if anything fails. A
// symbolic link is followed; a device or a pipe is written to directly. A file
// that stood there keeps its mode; new ones have mode 0644, less the umask.
func WriteFile(path string, render func(io.Writer) error) error {
	if err := writeFile(path, render); err != nil {
		return fmt.Errorf("write %s: %w%s", path, bare(err), advice(err))
	}
	return nil
}

// CheckFile finds out whether [WriteFile] can write to path, and changes nothing
// there. A device or a pipe is not tried.
func CheckFile(path string) error {
	if err := checkFile(path); err != nil {
		return fmt.Errorf("write %s: %w%s", path, bare(err), advice(err))
	}
	return nil
}

func checkFile(path string) error {
	path, at, err := destination(path)
	if err != nil || at != nil && !at.Mode().IsRegular() {
		return err
	}
	f, err := beside(path, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func writeFile(path string, render func(io.Writer) error) (err error) {
	path, at, err := destination(path)
	if err != nil {
		return err
	}
	if at != nil && !at.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(fill(f, render), f.Close())
	}

	mode, replaced := fs.FileMode(0o644), at != nil
	if replaced {
		mode = at.Mode().Perm()
	}
	f, err := beside(path, mode)
	if err != nil {
		return err
	}
	temp := f.Name()
	placed := false
	defer func() {
		if !placed { // a panic of render included
			f.Close()
			os.Remove(temp)
		}
	}()
	if replaced { // the umask does not count: the file had passed it, or was changed since
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	if err := fill(f, render); err != nil {
		return err
	}
	// Without it a crash of the machine could leave the name with nothing in it.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	placed = true
	return nil
}

// destination follows links to where WriteFile writes, and says what stands there;
// nil if nothing does.
func destination(path string) (string, fs.FileInfo, error) {
	// A link of /proc to a pipe has no path that could be followed.
	if at, err := os.Stat(path); err == nil && !at.Mode().IsRegular() && !at.IsDir() {
		return path, at, nil
	}
	path = follow(path)
	at, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil, nil
	case err != nil:
		return "", nil, err
	case at.IsDir():
		return "", nil, syscall.EISDIR
	}
	return path, at, nil
}

// follow follows symbolic links, also to where nothing stands yet. A link that
// leads nowhere is its own target, for the system to say why.
func follow(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	last := path
	for range 40 { // as many as Linux follows
		next, err := os.Readlink(last)
		if err != nil {
			return last
		}
		if !filepath.IsAbs(next) {
			// A link is relative to the folder that it stands in, whose own links have to
			// be followed before a .. of it.
			folder, err := filepath.EvalSymlinks(filepath.Dir(last))
			if err != nil {
				return path
			}
			next = filepath.Join(folder, next)
		}
		last = next
	}
	return path
}

// beside makes a temporary file in the folder of path.
func beside(path string, mode fs.FileMode) (*os.File, error) {
	temp := filepath.Join(filepath.Dir(path), ".hachaos-"+rand.Text()[:10])
	return os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}

func fill(f *os.File, render func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 1<<16)
	if err := render(w); err != nil {
		return err
	}
	return w.Flush()
}

// bare takes the path off an error of the system: the caller names it, and the
// temporary file's is of no use to anybody.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}

func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return " (free some space, or write elsewhere)"
	case errors.Is(err, syscall.EISDIR):
		return " (name a file in it)"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return " (the folder may not be written to; write elsewhere)"
	case errors.Is(err, fs.ErrNotExist):
		return " (create the folder first)"
	}
	return ""
}

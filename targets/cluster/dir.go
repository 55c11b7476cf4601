//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// claim is a control directory that belongs to this master alone, and to those
// that it shares the lock with, until the last of them ends, however it ends.
type claim struct {
	dir  string
	lock *os.File
	made bool // by claimDir
}

// claimDir makes the control directory if need be and takes it. It clears away
// what a master left that died.
func claimDir(dir string) (*claim, error) {
	c := &claim{dir: dir}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the control directory: %w", err)
		}
		c.made = true
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the control directory: %w", err)
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || owner == nil || int(owner.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the control directory %s must be a directory that belongs to you alone (chmod 700)", dir)
	}
	if c.lock, err = takeLock(lockFile(dir)); err != nil {
		return nil, fmt.Errorf("take the control directory %s: %w", dir, err)
	}
	for _, path := range append(outputs(dir), controlSocket(dir), workerSocket(dir)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.lock.Close()
			return nil, fmt.Errorf("clear away what a master left that ended: %w", err)
		}
	}
	return c, nil
}

// outputs are the pipes of workers (see [output]): a master that is killed leaves
// some.
func outputs(dir string) []string {
	paths, _ := filepath.Glob(outputFile(dir, "*", "*")) // its pattern is a good one
	return paths
}

// sign writes down who has the directory.
func (c *claim) sign() error {
	if err := c.lock.Truncate(0); err != nil {
		return err
	}
	_, err := c.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// release gives the directory back.
func (c *claim) release() {
	// What cannot be removed does no harm.
	for _, path := range append(outputs(c.dir), lockFile(c.dir)) {
		_ = os.Remove(path)
	}
	c.lock.Close()
	if c.made {
		_ = os.Remove(c.dir)
	}
}

func takeLock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			defer f.Close()
			if !errors.Is(err, unix.EWOULDBLOCK) {
				return nil, err
			}
			b := make([]byte, 20)
			n, _ := f.Read(b) // it may have written nothing yet
			return nil, fmt.Errorf("another master (pid %s) has it (stop that one, or choose another directory)", strings.TrimSpace(string(b[:n])))
		}
		// A master that ended in between has removed the file that is locked now.
		ours, err1 := f.Stat()
		now, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(ours, now) {
			if err := (&claim{lock: f}).sign(); err != nil {
				f.Close()
				return nil, err
			}
			return f, nil
		}
		f.Close()
	}
}

// listenUnix listens on a socket that only this user may use.
func listenUnix(network, path string) (*net.UnixListener, error) {
	ln, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	if err != nil {
		return nil, fmt.Errorf("listen on a socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
)

// prepareSockets makes the folder for sockets and pipes. A disk that stalls holds up
// whoever makes a name on it, such as a master that starts a worker; that would be
// told as the worker's recovery.
func (r *run) prepareSockets() error {
	r.sockets = r.folder
	parent := memoryFolder()
	if parent == "" {
		return nil
	}
	r.sockets = filepath.Join(parent, filepath.Base(r.folder))
	if err := r.guard.Folder(r.sockets); err != nil {
		return err
	}
	if err := os.Mkdir(r.sockets, 0o700); err != nil {
		return fmt.Errorf("make the run's folder for sockets: %w", err)
	}
	return nil
}

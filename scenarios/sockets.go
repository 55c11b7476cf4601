package scenarios

import (
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
	inMemory := filepath.Join(parent, filepath.Base(r.folder))
	if err := r.guard.Folder(inMemory); err != nil {
		return err
	}
	if os.Mkdir(inMemory, 0o700) == nil { // a sandbox may forbid it
		r.sockets = inMemory
	}
	return nil
}

package backend

import (
	"fmt"
	"os"
	"time"

	"github.com/hachaos/hachaos/targets/proc"
)

// endWithin kills every process whose working directory is dir, and waits until
// there is none. PostgreSQL's processes lead sessions of their own and
// overwrite their environment: once the first of them was killed, that they sit
// in its data is what tells whose they were.
func endWithin(dir string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); <-tick.C {
		left := within(dir)
		if len(left) == 0 {
			return
		}
		for _, id := range left {
			_ = proc.Signal(id, os.Kill) // one that has ended by itself is what is wanted
		}
	}
}

func within(dir string) (ids []proc.ID) {
	table, err := proc.ReadTable()
	if err != nil {
		return nil
	}
	for pid, p := range table {
		if at, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil && at == dir && !p.Zombie {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

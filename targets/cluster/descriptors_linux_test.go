package cluster

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// exhaust leaves a process no descriptor that it has not got already, until restore.
func exhaust(t *testing.T, pid int) (restore func()) {
	t.Helper()
	var had unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &had); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: had.Max}, nil); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &had, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// A moment without descriptors costs the master neither clients nor workers.
func TestMasterWithoutDescriptors(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(1, "handoff", 0)})
	restore := exhaust(t, f.process.PID())
	ctx, cancel := timeout()
	defer cancel()
	asked := make(chan error, 1)
	go func() {
		_, err := f.Status(ctx)
		asked <- err
	}()
	w, err := dialWire(workerSocket(f.Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, socket := range []string{controlSocket(f.Dir), workerSocket(f.Dir)} {
		if !eventually(func() bool {
			log, err := os.ReadFile(f.log)
			return err == nil && strings.Contains(string(log), " "+socket+": accept4: too many open files")
		}) {
			t.Fatalf("nobody could not be accepted on %s", socket)
		}
	}
	restore()
	if err := <-asked; err != nil {
		t.Errorf("who asked meanwhile hears %v", err)
	}
	f.signal(f.id(1), "SIGKILL")
	f.await("a replacement", func(s Status) bool { return s.Ready == 1 && s.Workers[0].Restarts == 1 })
}

// A worker that has no descriptor left is not handed more until it has, and then is.
func TestWorkerWithoutDescriptors(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(2, "handoff", 0)})
	first := f.id(1)
	restore := exhaust(t, first.PID)
	ctx, cancel := timeout()
	defer cancel()
	for range 10 {
		if a := <-f.burst(ctx, 1); a.err != nil || a.status != http.StatusOK || a.pid == first.PID {
			t.Errorf("beside it: %+v", a)
		}
	}
	restore()
	if !eventually(func() bool { return (<-f.burst(ctx, 1)).pid == first.PID }) {
		t.Error("it is handed nothing any more")
	}
}

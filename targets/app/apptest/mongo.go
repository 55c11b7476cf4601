package apptest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
)

// Mongo builds and starts FerretDB, which speaks MongoDB's protocol, and returns
// its address. Where its modules cannot be had the test is skipped, and fails in
// CI.
func Mongo(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ferretdb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	_, here, _, _ := runtime.Caller(0)
	binary := filepath.Join(dir, "ferretdb.exe")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = filepath.Join(filepath.Dir(here), "..", "..", "..", "testdata", "ferretdb")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("build FerretDB: %v\n%s", err, out)
		}
		t.Skipf("FerretDB cannot be built here: %v\n%s", err, out)
	}
	number, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
	in, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p, err := proc.Start(proc.Command{Path: binary, Args: []string{address, dir}, Stdin: in, Stdout: log, Stderr: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		p.Kill()
		<-p.Done()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("FerretDB:\n%s", text)
		}
	})
	Await(t, "FerretDB to listen", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	return address
}

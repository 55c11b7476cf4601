//go:build unix

package cluster

import (
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection that speaks while it is given away is given away: the number of
// its descriptor may be that of another one as soon as it is closed.
func TestAsideSurrendersWhatSpeaksMeanwhile(t *testing.T) {
	here, there, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(there)
	if err := unix.SetNonblock(here, true); err != nil {
		t.Fatal(err)
	}
	a := newAside(new(atomic.Int64), func(c *client) {
		t.Error("it speaks here too")
		c.close()
	})
	a.timeout = 2 * patience
	a.add(here)
	given := 0
	a.mu.Lock()
	if _, err := unix.Write(there, []byte("GET ")); err != nil {
		t.Fatal(err)
	}
	if !eventually(waitsToSpeak) {
		t.Error("it was not heard")
	}
	a.end(func(*os.File) { given++ })
	a.mu.Unlock()
	a.wg.Wait()
	if given != 1 {
		t.Errorf("%d were given away", given)
	}
}

// waitsToSpeak tells whether one aside has spoken and waits for the lock.
func waitsToSpeak() bool {
	all := make([]byte, 1<<20)
	for goroutine := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(goroutine, "(*aside).wait(") && strings.Contains(goroutine, "sync.(*Mutex).Lock(") {
			return true
		}
	}
	return false
}

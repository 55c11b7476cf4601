//go:build unix

package cluster

import (
	"log/slog"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// What a standby was told long before it is master is not obeyed, what it was told
// with the master is.
func TestStandbyForgetsOldSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal)
		h := hold(signals)
		signals <- syscall.SIGTERM
		time.Sleep(heldFor)
		signals <- syscall.SIGUSR2
		time.Sleep(time.Second)
		signals <- os.Interrupt
		if got := h.release(slog.New(slog.DiscardHandler)); !slices.Equal(got, []os.Signal{syscall.SIGUSR2, os.Interrupt}) {
			t.Errorf("%v are obeyed", got)
		}
	})
}

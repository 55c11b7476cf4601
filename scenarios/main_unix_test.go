//go:build unix

package scenarios

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets this test binary play the processes that the tests need.
func TestMain(m *testing.M) {
	switch os.Getenv("SCENARIOS_TEST_ROLE") {
	case "":
		goleak.VerifyTestMain(m)
	case "guard":
		signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
		if err := RunGuard(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	case "controller":
		playController()
	case "sleep":
		time.Sleep(time.Minute)
	}
}

package loadgen

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// Requests of the warm-up that nobody answers are known to have begun.
func TestWarmupWithoutAnswers(t *testing.T) {
	for name, s := range map[string]Stream{
		"closed": {Closed: &Closed{Concurrency: 3}, Duration: seconds(60), Timeout: seconds(60)},
		"open":   {Open: &Open{Rate: 100, Senders: 3}, Duration: seconds(60), Timeout: seconds(60)},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGenerator(t, Options{
				Epoch: clock.Now().Add(time.Minute), Stream: s, URL: serve(t, func(c *net.TCPConn, _ int) { hold(c) }),
			})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = g.Run(ctx) // its end is this test's doing
			}()
			var snap Snapshot
			for deadline := clock.Now().Add(20 * time.Second); snap.WarmupBegun < 3 && clock.Now() < deadline; time.Sleep(time.Millisecond) {
				snap = g.Snapshot()
			}
			cancel()
			<-ended
			if snap = g.Snapshot(); snap.WarmupBegun != 3 || snap.WarmupOK != 0 || snap.WarmupFailed != 0 {
				t.Errorf("%+v", snap.Counts)
			}
		})
	}
}

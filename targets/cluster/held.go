//go:build unix

package cluster

import (
	"log/slog"
	"os"
	"time"
)

// heldFor is how old a signal may be that a standby obeys once it is master. It is
// longer than it takes to find out that the master is silent.
const heldFor = (starvedBeats + 1) * missedBeats

// maxHeld bounds how many are kept.
const maxHeld = 8

// heldSignals keeps the signals that reach a standby, which are for the master: who
// stops the whole process group, or this process right before it takes over, is to
// be heard; a signal that the master has survived for long is nobody's any more.
type heldSignals struct {
	came []heldSignal
	stop chan struct{}
	done chan struct{}
}

type heldSignal struct {
	os.Signal
	at time.Time
}

func hold(signals <-chan os.Signal) *heldSignals {
	h := &heldSignals{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		for {
			select {
			case sig := <-signals:
				h.came = append(h.came[max(0, len(h.came)-maxHeld+1):], heldSignal{sig, time.Now()})
			case <-h.stop:
				return
			}
		}
	}()
	return h
}

// release ends it and returns the signals that are to be obeyed, in their order.
func (h *heldSignals) release(log *slog.Logger) (fresh []os.Signal) {
	close(h.stop)
	<-h.done
	for _, s := range h.came {
		if age := time.Since(s.at); age > heldFor {
			log.Warn("a signal came while another process was master: it is not obeyed", "signal", s.String(), "age", age.Round(time.Second))
		} else {
			fresh = append(fresh, s.Signal)
		}
	}
	return fresh
}

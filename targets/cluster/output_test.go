//go:build unix

package cluster

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// heldWriter takes nothing until it is let go.
type heldWriter struct {
	free  chan struct{}
	lines int
}

func (h *heldWriter) Write(b []byte) (int, error) {
	<-h.free
	h.lines += bytes.Count(b, []byte("\n"))
	return len(b), nil
}

// What workers say when they leave comes while the master ends.
func TestLastWordsAreWritten(t *testing.T) {
	const said = 4 * printRoom
	for name, c := range map[string]struct {
		held time.Duration
		lost bool
	}{
		"a reader that is slow": {outputGrace - time.Millisecond, false},
		"nobody reads":          {4 * outputGrace, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := &heldWriter{free: make(chan struct{})}
				time.AfterFunc(c.held, func() { close(to.free) })
				p := newPrinter(to)
				enough, began := p.end(), time.Now()
				for range said {
					p.pass([]byte("good-bye\n"))
				}
				enough.Stop()
				lost := p.close()
				if took := time.Since(began); took > 2*outputGrace {
					t.Errorf("the master's end took %v more", took)
				}
				// One is being written.
				if c.lost != (lost > 0) || c.lost && (lost < said-1 || lost > said) || !c.lost && to.lines != said {
					t.Errorf("%d of %d lines are lost, %d were written", lost, said, to.lines)
				}
				<-to.free
				<-p.done
			})
		})
	}
}

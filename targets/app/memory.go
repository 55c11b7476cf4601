package app

import (
	"context"
	"time"

	"github.com/hachaos/hachaos/targets/page"
)

// memoryEvery is how often a process looks at its own memory.
const memoryEvery = 500 * time.Millisecond

// ReportMemory writes the most memory that this process has had to its entry,
// until ctx ends.
func ReportMemory(ctx context.Context, e *page.Entry) {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for {
		e.SetRSSMax(rssMax())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

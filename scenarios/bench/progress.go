package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// Status is how a bench stands.
type Status struct {
	loadgen.Snapshot
	Complete int64
	Elapsed  time.Duration
	Count    int64         // requests in all; 0: unknown
	Length   time.Duration // 0: unknown
}

// Progress is told how a bench goes on, a few times a second. Calls do not
// overlap.
type Progress interface {
	Tick(Status)
	End(Status)
}

// tickEvery is short enough that ab's lines come when they should.
const tickEvery = 100 * time.Millisecond

// watch shows the progress until ctx ends.
func (b *bench) watch(ctx context.Context) {
	if b.player.Progress == nil {
		return
	}
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.player.Progress.Tick(b.status())
		case <-ctx.Done():
			b.player.Progress.End(b.status())
			return
		}
	}
}

func (b *bench) status() Status {
	s := b.config.Stream
	return Status{
		Snapshot: b.generator.Snapshot(), Complete: b.tally.Complete(), Elapsed: clock.Since(b.epoch),
		Count: s.Count, Length: max(s.Duration.Std(), b.config.Limit),
	}
}

// Lines shows progress as ab does when it has more than 150 requests to send:
// a line for every tenth of them, and one for every 5,000 when only the time is
// limited.
type Lines struct {
	W    io.Writer
	next int64
}

const (
	quietUpTo  = 150
	leastLines = 100
	timedLines = 5000
)

// Tick implements [Progress].
func (l *Lines) Tick(s Status) {
	if s.Count > 0 && s.Count <= quietUpTo {
		return
	}
	every := max(leastLines, s.Count/10)
	if s.Count == 0 {
		every = timedLines
	}
	for l.next = max(l.next, every); l.next <= s.Complete; l.next += every {
		fmt.Fprintf(l.W, "Completed %d requests\n", l.next)
	}
}

// End implements [Progress].
func (l *Lines) End(s Status) {
	l.Tick(s)
	if s.Count == 0 || s.Count > quietUpTo {
		fmt.Fprintf(l.W, "Finished %d requests\n", s.Complete)
	}
}

// Live shows progress as one line of a terminal that is drawn over and over.
type Live struct {
	W     io.Writer
	Width func() int // columns
}

// Tick implements [Progress].
func (l *Live) Tick(s Status) {
	line := fmt.Sprintf("%6.1fs", s.Elapsed.Seconds())
	switch {
	case s.Count > 0:
		line += fmt.Sprintf("  %3d %%", 100*min(s.Complete, s.Count)/s.Count)
	case s.Length > 0:
		line += fmt.Sprintf("  %3d %%", 100*min(s.Elapsed, s.Length)/s.Length)
	}
	line += fmt.Sprintf("  %s requests  %s  %s failed  p50 %s  p99 %s",
		units.FormatCount(s.Complete), units.FormatRate(s.Rate), units.FormatCount(s.Failed),
		units.FormatDuration(s.P50), units.FormatDuration(s.P99))
	if width := l.Width() - 1; len(line) > width {
		line = line[:width]
	}
	fmt.Fprintf(l.W, "\r\x1b[K%s", line)
}

// End implements [Progress].
func (l *Live) End(Status) { fmt.Fprint(l.W, "\r\x1b[K") }

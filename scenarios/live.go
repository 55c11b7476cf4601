package scenarios

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
)

// Progress is told how a run goes on. Calls do not overlap.
type Progress interface {
	// Phase says what is done before the load begins: "starting the target".
	Phase(text string)
	// Fault is told of each fault when it is injected, skipped or failed, and
	// again when it is reverted.
	Fault(e chaos.Event)
	// Tick is called about once a second. now counts from t = 0 and is negative
	// during the warm-up; length is the load's, 0 if unknown; r is the report so
	// far, and rate the good answers per second just now.
	Tick(now, length time.Duration, r *reports.Report, rate float64)
	// End is called when the load is over.
	End()
}

// Quiet is a Progress that says nothing.
type Quiet struct{}

func (Quiet) Phase(string)                                                {}
func (Quiet) Fault(chaos.Event)                                           {}
func (Quiet) Tick(time.Duration, time.Duration, *reports.Report, float64) {}
func (Quiet) End()                                                        {}

// LineProgress writes plain lines: one for each phase and fault, and one every
// few seconds. It is for logs.
type LineProgress struct {
	W    io.Writer
	next time.Duration // offset of the next line; 0 before the first
}

// lineEvery is the time between two lines of a LineProgress.
const lineEvery = 5 * time.Second

// Phase implements [Progress].
func (p *LineProgress) Phase(text string) { fmt.Fprintln(p.W, text) }

// Fault implements [Progress].
func (p *LineProgress) Fault(e chaos.Event) {
	if reverted(e) {
		how := "reverted"
		if e.Ended {
			how = "is over: what it struck has ended"
		}
		fmt.Fprintf(p.W, "%7s  %s %s\n", offset(e.End), e.ID, how)
		return
	}
	fmt.Fprintln(p.W, reports.FaultLine(e, false))
}

// reverted tells whether an event that was told before is told again at its end.
func reverted(e chaos.Event) bool { return e.Lasting && e.State == chaos.Done && e.End > e.Start }

// Tick implements [Progress].
func (p *LineProgress) Tick(now, length time.Duration, r *reports.Report, rate float64) {
	if now < max(p.next, lineEvery) {
		return
	}
	p.next = now - now%lineEvery + lineEvery
	fmt.Fprintf(p.W, "%7s  %s\n", offset(now), strings.Join(figures(r, rate), "   "))
}

// End implements [Progress].
func (*LineProgress) End() {}

// TerminalProgress draws a few lines and redraws them in place: elapsed time,
// rate, availability so far, latencies, ready workers, the latest faults. At the
// end they are wiped, since the report says all of it.
type TerminalProgress struct {
	W     io.Writer
	Width func() int // columns of the terminal
	Color bool

	drawn  int // lines on the screen
	faults []string
}

// shownFaults is how many of the latest faults the view shows.
const shownFaults = 3

// Phase implements [Progress].
func (p *TerminalProgress) Phase(text string) {
	p.draw([]string{p.paint("36", "◌ ") + text + " …"})
}

// Fault implements [Progress].
func (p *TerminalProgress) Fault(e chaos.Event) {
	if reverted(e) {
		return // its line stands already
	}
	p.faults = append(p.faults, reports.FaultLine(e, false))
	if len(p.faults) > shownFaults {
		p.faults = p.faults[1:]
	}
}

// Tick implements [Progress].
func (p *TerminalProgress) Tick(now, length time.Duration, r *reports.Report, rate float64) {
	if now < 0 {
		p.Phase("warming up")
		return
	}
	at := offset(now)
	if length > 0 {
		at += " of " + units.FormatDuration(length)
	}
	lines := []string{
		p.paint("36", "▶ ") + p.paint("1", r.Scenario.Name) + "   " + at + "   " + bar(now, length),
		"  " + strings.Join(figures(r, rate), "   "),
	}
	for _, f := range p.faults {
		lines = append(lines, p.paint("2", f))
	}
	p.draw(lines)
}

// End implements [Progress].
func (p *TerminalProgress) End() { p.draw(nil) }

// draw replaces what was drawn before.
func (p *TerminalProgress) draw(lines []string) {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	}
	b.WriteString("\r\x1b[J")
	for _, line := range lines {
		b.WriteString(clip(line, p.Width()-1))
		b.WriteString("\x1b[0m\n")
	}
	p.drawn = len(lines)
	_, _ = io.WriteString(p.W, b.String()) // a view that cannot be drawn harms nothing
}

func (p *TerminalProgress) paint(code, text string) string {
	if !p.Color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// clip cuts a line to width columns, so that none wraps and the redrawing finds
// its place; colour codes take no column.
func clip(line string, width int) string {
	columns, escape := 0, false
	for i, r := range line {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if columns++; columns > width {
				return line[:i]
			}
		}
	}
	return line
}

// bar shows how much of the load is over.
func bar(now, length time.Duration) string {
	const cells = 24
	if length <= 0 {
		return ""
	}
	full := int(min(max(int64(cells)*int64(now)/int64(length), 0), cells))
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}

// figures are the report's main figures so far, in a few words each.
func figures(r *reports.Report, rate float64) []string {
	var sent int64
	words := []string{}
	for _, l := range r.Load {
		sent += l.Requests.OK + l.Requests.Failed
	}
	words = append(words, units.FormatCount(sent)+" requests", units.FormatRate(rate))
	if a := r.Availability.Availability; a != nil {
		words = append(words, "availability "+units.FormatPercent(*a))
	}
	if u := r.Availability.Uptime; u != nil {
		words = append(words, "uptime "+units.FormatPercent(*u))
	}
	if len(r.Load) > 0 && r.Load[0].LatencyMS != nil {
		l := r.Load[0].LatencyMS
		words = append(words, "p50 "+milliseconds(l.P50), "p99 "+milliseconds(l.P99))
	}
	if ready := r.Timeline.WorkersReady; len(ready) > 0 && ready[len(ready)-1] != nil {
		words = append(words, fmt.Sprintf("%d ready", *ready[len(ready)-1]))
	}
	return words
}

func milliseconds(ms float64) string {
	return units.FormatDuration(time.Duration(ms * float64(time.Millisecond)))
}

// offset prints a moment of the run: "3.1s".
func offset(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

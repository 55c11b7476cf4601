package scenarios

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports"
)

// soFar is a report as a run has it in between.
func soFar() *reports.Report {
	availability, uptime, ready := 0.9996, 0.995, 4
	return &reports.Report{
		Scenario:     reports.Scenario{Name: "worker-crash"},
		Load:         []reports.Load{{Requests: reports.Requests{OK: 4998, Failed: 2}, LatencyMS: &reports.Latency{P50: 51, P99: 161}}},
		Availability: reports.Availability{Availability: &availability, Uptime: &uptime},
		Timeline:     reports.Timeline{WorkersReady: []*int{nil, &ready}},
	}
}

func crash(n int, at time.Duration) chaos.Event {
	return chaos.Event{ID: fmt.Sprintf("crash#%d", n), State: chaos.Done, Start: at, End: at, Detail: fmt.Sprintf("SIGKILL worker %d", n)}
}

// freeze is told when it begins, with end 0, and again at its end.
func freeze(end time.Duration) chaos.Event {
	return chaos.Event{ID: "freeze#1", State: chaos.Done, Lasting: true, Start: 7 * time.Second, End: end, Detail: "SIGSTOP worker 2"}
}

func TestLineProgress(t *testing.T) {
	var b bytes.Buffer
	p := &LineProgress{W: &b}
	p.Phase("starting the cluster")
	p.Phase("warming up")
	tick := func(at time.Duration) { p.Tick(at, 15*time.Second, soFar(), 867) }
	for _, at := range []time.Duration{-time.Second, 0, time.Second, 4900 * time.Millisecond, 5100 * time.Millisecond, 6 * time.Second} {
		tick(at)
	}
	p.Fault(crash(1, 6200*time.Millisecond))
	p.Fault(freeze(0))
	tick(9900 * time.Millisecond)
	p.Fault(freeze(9940 * time.Millisecond))
	tick(12 * time.Second) // late, and the next one when it is due
	tick(15 * time.Second)
	p.End()
	const figures = "5,000 requests   867/s   availability 99.96 %   uptime 99.50 %   p50 51 ms   p99 161 ms   4 ready\n"
	want := "starting the cluster\nwarming up\n" +
		"   5.1s  " + figures +
		"   6.2s  crash#1     SIGKILL worker 1\n" +
		"   7.0s  freeze#1    SIGSTOP worker 2\n" +
		"   9.9s  freeze#1 reverted\n" +
		"  12.0s  " + figures +
		"  15.0s  " + figures
	if got := b.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// A report of which nothing is known yet has few figures, and none that is made up.
func TestFiguresOfNothing(t *testing.T) {
	if got := strings.Join(figures(&reports.Report{}, 0), ", "); got != "0 requests, 0/s" {
		t.Error(got)
	}
}

// terminal is a screen that understands what the live view writes: lines, up,
// clear to the end. Colours take no place.
type terminal struct {
	lines  []string
	row    int
	column int
	widest int
}

func (s *terminal) Write(b []byte) (int, error) {
	for text := string(b); text != ""; {
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexAny(text, "AJm")
			if text[end] == 'A' {
				var up int
				if _, err := fmt.Sscanf(text, "\x1b[%dA", &up); err != nil || up > s.row {
					return 0, fmt.Errorf("up %d of %d lines (%v)", up, s.row, err)
				}
				s.row -= up
			} else if text[end] == 'J' {
				s.lines = s.lines[:min(s.row, len(s.lines))]
			}
			text = text[end+1:]
		case text[0] == '\r':
			s.column, text = 0, text[1:]
		case text[0] == '\n':
			s.row, s.column, text = s.row+1, 0, text[1:]
		default:
			for len(s.lines) <= s.row {
				s.lines = append(s.lines, "")
			}
			r := []rune(text)[0]
			s.lines[s.row] += string(r)
			s.column++
			s.widest = max(s.widest, s.column)
			text = text[len(string(r)):]
		}
	}
	return len(b), nil
}

func TestTerminalProgress(t *testing.T) {
	for _, color := range []bool{false, true} {
		screen := &terminal{}
		p := &TerminalProgress{W: screen, Width: func() int { return 120 }, Color: color}
		shows := func(when string, want ...string) {
			t.Helper()
			if got := strings.Join(screen.lines, "\n"); got != strings.Join(want, "\n") {
				t.Errorf("colour %v, %s:\n%s\nwant:\n%s", color, when, got, strings.Join(want, "\n"))
			}
		}
		const length = 16 * time.Second
		p.Phase("starting the cluster")
		shows("at first", "◌ starting the cluster …")
		p.Tick(-time.Second, length, soFar(), 0)
		shows("before t = 0", "◌ warming up …")
		const figures = "  5,000 requests   867/s   availability 99.96 %   uptime 99.50 %   p50 51 ms   p99 161 ms   4 ready"
		p.Tick(4*time.Second, length, soFar(), 867)
		shows("at a quarter", "▶ worker-crash   4.0s of 16 s   ██████░░░░░░░░░░░░░░░░░░", figures)
		for n := 1; n <= 3; n++ {
			p.Fault(crash(n, time.Duration(n)*time.Second))
		}
		p.Fault(freeze(0))
		p.Fault(freeze(9 * time.Second)) // its line stands already
		p.Tick(12*time.Second, length, soFar(), 867)
		shows("with the latest faults", "▶ worker-crash   12.0s of 16 s   ██████████████████░░░░░░", figures,
			"   2.0s  crash#2     SIGKILL worker 2", "   3.0s  crash#3     SIGKILL worker 3", "   7.0s  freeze#1    SIGSTOP worker 2")
		p.Tick(20*time.Second, length, soFar(), 867)
		shows("beyond the end", "▶ worker-crash   20.0s of 16 s   ████████████████████████", figures,
			"   2.0s  crash#2     SIGKILL worker 2", "   3.0s  crash#3     SIGKILL worker 3", "   7.0s  freeze#1    SIGSTOP worker 2")
		p.Tick(20*time.Second, 0, soFar(), 867)
		if !strings.HasPrefix(screen.lines[0], "▶ worker-crash   20.0s") || strings.ContainsAny(screen.lines[0], "█░") {
			t.Errorf("of a load without a known length: %q", screen.lines[0])
		}
		p.End()
		shows("at the end")
	}
}

// No line wraps, or the next drawing would not find its place.
func TestTerminalProgressFitsTheTerminal(t *testing.T) {
	for _, width := range []int{20, 41, 80} {
		screen := &terminal{}
		p := &TerminalProgress{W: screen, Width: func() int { return width }, Color: true}
		p.Fault(crash(1, time.Second))
		p.Tick(4*time.Second, 16*time.Second, soFar(), 867)
		if screen.widest != width-1 || len(screen.lines) != 3 {
			t.Errorf("%d columns: %d are used, %d lines", width, screen.widest, len(screen.lines))
		}
	}
}

package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/loadgen/ab"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
)

// Head writes what ab writes before the load begins, with hachaos's own name.
func Head(w io.Writer, c *Config, version string) {
	if c.HTML {
		fmt.Fprintf(w, "<p>\n This is hachaos bench, version %s, with the flags and the output of ApacheBench 2.3<br>\n</p>\n<p>\n", version)
		return
	}
	fmt.Fprintf(w, "This is hachaos bench, version %s, with the flags and the output of ApacheBench 2.3\n\n", version)
	through, end := "", "..."
	if c.Connect.Proxy != "" {
		through = "[through " + c.Connect.Proxy + "] "
	}
	if c.beats() {
		end = "\n"
	}
	fmt.Fprintf(w, "Benchmarking %s %s(be patient)%s", c.Page.Host, through, end)
}

// beats tells whether lines of progress come, as ab has it: not of few requests.
func (c *Config) beats() bool {
	return !c.Quiet && (c.Stream.Count == 0 || c.Stream.Count > quietUpTo)
}

// Text writes the outcome: ab's report, and below it what ab does not know.
func (o *Outcome) Text(w io.Writer, c *Config, opts reports.TextOptions) error {
	end := ""
	switch {
	case c.beats():
	case o.Report.Verdict == reports.Interrupted:
		end = "\n"
	default:
		end = "..done\n"
	}
	if _, err := io.WriteString(w, end); err != nil {
		return err
	}
	if c.HTML {
		return ab.HTML(w, o.Page, o.Figures)
	}
	if _, err := io.WriteString(w, "\n\n"); err != nil {
		return err
	}
	if err := ab.Text(w, o.Page, o.Figures); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := reports.TextFigures(w, o.Report, opts); err != nil {
		return err
	}
	_, err := io.WriteString(w, causes(o.Recording)+histogram(o.Recording.Latency))
	return err
}

// Total writes what ab writes on standard output when a socket error ended it.
func (o *Outcome) Total(w io.Writer, c *Config) error {
	line := ""
	if !c.beats() && !c.HTML {
		line = "\n" // after the dots
	}
	if n := o.Figures.Complete - o.Figures.Lost; n > 0 {
		line += fmt.Sprintf("Total of %d requests completed\n", n)
	}
	_, err := io.WriteString(w, line)
	return err
}

// causes lists the failures, each cause on a line.
func causes(r *loadgen.Recording) string {
	if r.Failed == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nFailures by cause\n")
	for cause, n := range r.Failures {
		if n > 0 {
			fmt.Fprintf(&b, "  %-12s %10s   %s\n", loadgen.Cause(cause), units.FormatCount(n), units.FormatPercent(float64(n)/float64(r.Sent)))
		}
	}
	return b.String()
}

const (
	histogramRows = 12
	histogramBar  = 40
)

// histogram draws latencies in steps that grow by the same factor, a power of
// the tenth root of 10, so that the tail is seen as well as the bulk.
func histogram(h *hdrhistogram.Histogram) string {
	if h == nil || h.TotalCount() == 0 {
		return ""
	}
	lo, hi := float64(max(h.Min(), 1)), float64(max(h.Max(), 1))
	tenths := math.Ceil(10 * math.Log10(hi/lo*1.0001) / histogramRows)
	factor := math.Pow(10, max(1, tenths)/10)
	var edges []float64
	for edge := lo * factor; len(edges) == 0 || edges[len(edges)-1] < hi; edge *= factor {
		edges = append(edges, edge)
	}
	counts := make([]int64, len(edges))
	for _, bar := range h.Distribution() {
		i := 0
		for i < len(edges)-1 && float64(bar.To) > edges[i] {
			i++
		}
		counts[i] += bar.Count
	}
	most := int64(1)
	for _, n := range counts {
		most = max(most, n)
	}
	var b strings.Builder
	b.WriteString("\nLatency of good answers\n")
	for i, n := range counts {
		bar := int((n*histogramBar + most - 1) / most)
		line := fmt.Sprintf("  up to %9s %12s  %s", edgeText(min(edges[i], hi)), units.FormatCount(n), strings.Repeat("█", bar))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// edgeText prints so many microseconds with two digits where [units.FormatDuration]
// has one, which neighbours would share: "0.11 ms".
func edgeText(us float64) string {
	if us >= 100 && us < 1000 {
		return strconv.FormatFloat(us/1000, 'f', 2, 64) + " ms"
	}
	return units.FormatDuration(time.Duration(us * float64(time.Microsecond)))
}

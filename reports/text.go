package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// TextOptions say how text is to look. The zero value is right for a file.
type TextOptions struct {
	Color bool // with ANSI colours
	Width int  // columns of the terminal; 0: lines are as long as they are

	Practices bool // with the checklist of practices at the end of each run
}

// Text writes a document for people: the verdict and the figures it rests on.
// Control characters in texts from outside are shown, never sent to a terminal.
func Text(w io.Writer, doc Document, o TextOptions) error {
	t := &text{color: o.Color, width: o.Width}
	if t.width > 0 {
		t.width = max(t.width, 60)
	}
	for i, r := range doc.Reports() {
		if i > 0 {
			t.WriteString("\n")
		}
		t.report(r)
		if o.Practices {
			t.practices(r.Practices)
		}
	}
	if runs := doc.Reports(); len(runs) > 1 {
		t.summary(runs)
	}
	if s, ok := doc.(*Suite); ok {
		t.comparison(s.Comparison)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// FaultLine is the line of one injection while the run goes on, when what it
// cost is not known yet: "   3.1s  crash#1   SIGKILL worker 2 (pid 4711)".
func FaultLine(e chaos.Event, color bool) string {
	t := &text{color: color}
	f := newFault(e)
	return strings.TrimRight(t.faultStart(&f, max(9, width(f.ID)))+faultDetail(&f), " ")
}

// text builds the text of reports.
type text struct {
	strings.Builder
	color bool
	width int
}

// ANSI styles.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (t *text) style(code, s string) string {
	if !t.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *text) linef(format string, args ...any) {
	t.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// gap leaves one line blank.
func (t *text) gap() {
	if !strings.HasSuffix(t.String(), "\n\n") {
		t.WriteString("\n")
	}
}

func (t *text) report(r *Report) {
	t.header(r)
	t.faults(r)
	t.WriteString("\n")
	t.availability(r)
	t.uptime(r)
	t.latency(r)
	t.shares(r)
	t.budget(r.Budget)
	t.projection(r.Projection)
	t.proxies(r)
	t.events(r)
	t.outages(r)
	t.objectives(r)
	t.warnings(r)
	t.verdict(r)
}

func (t *text) header(r *Report) {
	parts := []string{fmt.Sprintf("seed %d", r.Scenario.Seed), targetText(r.Target)}
	if d := dependencyText(r.Dependencies); d != "" {
		parts = append(parts, d)
	}
	if load := loadText(r); load != "" {
		parts = append(parts, load)
	}
	name := clean(sideName(r))
	rest := t.wrap(strings.Join(parts, " · "), width(name)+3, 2)
	t.linef("%s%s", t.style(bold, name), t.style(dim, " · ")+rest)
}

func targetText(target Target) string {
	switch target.Kind {
	case "cluster":
		s := fmt.Sprintf("cluster of %d", target.Workers)
		if target.Dispatch != "" {
			s += " (" + clean(target.Dispatch) + ")"
		}
		return s
	case "single":
		return "a single process"
	case "command":
		return "a command at " + clean(target.URL)
	}
	return clean(target.URL)
}

func loadText(r *Report) string {
	var streams []string
	for _, l := range r.Load {
		s := countOf(int64(l.Concurrency), "client")
		if l.Model == "open" {
			s = perSecond(l.Rate)
		}
		if len(r.Load) > 1 {
			s = clean(l.Name) + ": " + s
		}
		streams = append(streams, s)
	}
	if len(streams) == 0 {
		return "no load"
	}
	return strings.Join(streams, ", ") + " for " + units.FormatDuration(duration(r.DurationS))
}

// perSecond is "867 requests/s".
func perSecond(rate float64) string {
	return strings.TrimSuffix(units.FormatRate(rate), "/s") + " requests/s"
}

// block writes one line of figures: a label, a figure, and what there is to say
// of it.
func (t *text) block(label, figure, rest string) {
	if label != "" {
		label = t.style(bold, label) + strings.Repeat(" ", max(0, 12-width(label)))
	} else {
		label = strings.Repeat(" ", 12)
	}
	indent := 16
	if figure != "" {
		figure = pad(figure, 9) + " "
		indent += width(figure)
	}
	t.linef(" %s   %s%s", label, t.style(bold, figure), t.wrap(rest, indent, indent))
}

func (t *text) objectives(r *Report) {
	if len(r.SLOs) > 0 {
		t.gap()
	}
	column := 0
	for _, s := range r.SLOs {
		column = max(column, width(clean(s.Expr)))
	}
	for _, s := range r.SLOs {
		mark := t.style(green, "✔")
		if !s.OK {
			mark = t.style(red, "✘")
		}
		value := s.text()
		if s.Value == nil && s.OK {
			value = "nothing had to recover"
		}
		t.linef(" %s %s   %s", mark, pad(clean(s.Expr), column), value)
	}
}

func (t *text) warnings(r *Report) {
	if len(r.Warnings) > 0 {
		t.gap()
	}
	for _, warning := range r.Warnings {
		t.linef(" %s %s", t.style(yellow, "!"), t.wrap(clean(warning), 3, 3))
	}
}

func (t *text) verdict(r *Report) {
	if len(r.SLOs) == 0 && len(r.Warnings) == 0 {
		t.gap()
	}
	t.linef("%s", t.verdictWord(r.Verdict))
	for _, reason := range r.Reasons {
		t.linef("  %s", t.wrap(clean(reason), 2, 2))
	}
}

func (t *text) verdictWord(v Verdict) string {
	colour := map[Verdict]string{Pass: green, Inconclusive: yellow, Interrupted: yellow}[v]
	if colour == "" {
		colour = red
	}
	return t.style(bold+";"+colour, strings.ToUpper(clean(string(v))))
}

// wrap breaks s at spaces so that it fits into the width, given that it starts
// at the column start; further lines are indented.
func (t *text) wrap(s string, start, indent int) string {
	if t.width <= 0 || start+width(s) <= t.width {
		return s
	}
	lines, at := []string{""}, start
	for i, word := range strings.SplitAfter(s, " ") {
		if i > 0 && at+width(strings.TrimRight(word, " ")) > t.width {
			lines = append(lines, strings.Repeat(" ", indent))
			at = indent
		}
		lines[len(lines)-1] += word
		at += width(word)
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// width is how many columns s takes on a terminal.
func width(s string) int { return twwidth.Width(s) }

func pad(s string, columns int) string { return s + strings.Repeat(" ", max(0, columns-width(s))) }

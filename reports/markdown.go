package reports

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/hachaos/hachaos/reports/units"
)

// What Markdown shows of long lists: comments and job summaries are bounded.
const (
	maxMarkdownFaults = 20
	maxMarkdownRuns   = 30
)

// Markdown writes a document for a pull request's comment or a job's summary, as
// GitHub and GitLab read it. Texts from outside stay text: they make no link, no
// mention and no markup.
func Markdown(w io.Writer, doc Document) error {
	m := &markdown{}
	runs := doc.Reports()
	if len(runs) > 1 {
		m.summary(runs)
	}
	if suite, ok := doc.(*Suite); ok {
		m.comparison(newHTMLComparison(suite.Comparison))
	}
	for i, r := range runs[:min(len(runs), maxMarkdownRuns)] {
		m.report(r, runLabel(runs, i), len(runs) > 1)
	}
	if rest := len(runs) - maxMarkdownRuns; rest > 0 {
		m.linef("… and %s more, all of them in the JSON report.", countOf(int64(rest), "run"))
	}
	_, err := io.WriteString(w, m.String())
	return err
}

type markdown struct{ strings.Builder }

func (m *markdown) linef(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

func (m *markdown) row(cells ...string) { m.linef("| %s |", strings.Join(cells, " | ")) }

func (m *markdown) summary(runs []*Report) {
	m.linef("### hachaos: %s\n", countOf(int64(len(runs)), "run"))
	m.row("Run", "Verdict", "Availability", "Uptime", "Downtime", "p99", "Throughput")
	m.row(":--", ":--", "--:", "--:", "--:", "--:", "--:")
	for i, r := range runs {
		m.row(mdText(runLabel(runs, i)), mdVerdict(r.Verdict), percentOr(r.Availability.Availability), percentOr(r.Availability.Uptime),
			secondsOr(r.Availability.DowntimeS), latencyFigure(r).Text, throughputFigure(r).Text)
	}
	m.linef("")
}

func (m *markdown) comparison(c *htmlComparison) {
	if c == nil {
		return
	}
	for _, side := range c.Sides {
		m.linef("- %s", mdText(side))
	}
	for _, t := range c.Tables {
		m.linef("\n#### %s\n", mdText(t.Title))
		m.table(t)
	}
	for _, note := range c.Notes {
		m.linef("> %s\n", mdText(note))
	}
}

func (m *markdown) table(t htmlTable) {
	var head, align []string
	for _, c := range t.Head {
		head = append(head, mdText(c.Name))
		if align = append(align, ":--"); c.Number {
			align[len(align)-1] = "--:"
		}
	}
	m.row(head...)
	m.row(align...)
	for _, row := range t.Rows {
		var cells []string
		for _, c := range row {
			cells = append(cells, mdText(c.Text))
		}
		m.row(cells...)
	}
	m.linef("")
	if t.More != "" {
		m.linef("%s\n", mdText(t.More))
	}
}

func (m *markdown) report(r *Report, label string, folded bool) {
	if folded {
		m.linef("<details><summary>%s %s</summary>\n", verdictEmoji(r.Verdict), mdInHTML.Replace(clean(label)))
	}
	m.linef("### %s %s\n", mdVerdict(r.Verdict), mdText(label))
	parts := []string{mdText(targetText(r.Target))}
	if d := dependencyText(r.Dependencies); d != "" {
		parts = append(parts, mdText(d))
	}
	m.linef("%s · %s · seed %d\n", strings.Join(parts, " · "), mdText(loadText(r)), r.Scenario.Seed)
	for _, reason := range r.Reasons {
		m.linef("- %s", mdText(reason))
	}
	if len(r.Reasons) > 0 {
		m.linef("")
	}
	m.row("Figure", "Value", "")
	m.row(":--", "--:", ":--")
	for _, f := range htmlFigures(r) {
		m.row("**"+f.Label+"**", f.Text, mdText(f.Note))
	}
	if b := newHTMLBudget(r.Budget); b != nil {
		m.row("**Budget**", percent(r.Budget.Objective), mdText(b.Sentence+" "+sentence(b.Spent)))
	}
	if p := r.Projection; p != nil {
		m.row("**A year like this**", percentOr(p.Availability), mdText(strings.Join(newHTMLProjection(p).Sentences, " ")))
	}
	m.linef("")
	m.objectives(r)
	m.faults(r)
	m.around(r)
	for _, warning := range r.Warnings {
		m.linef("> ⚠️ %s\n", mdText(warning))
	}
	if folded {
		m.linef("</details>\n")
	}
}

func (m *markdown) objectives(r *Report) {
	if len(r.SLOs) == 0 {
		return
	}
	m.row("", "Objective", "Measured")
	m.row(":--", ":--", "--:")
	for _, s := range r.SLOs {
		mark, value := "✅", s.text()
		if !s.OK {
			mark = "❌"
		} else if s.Value == nil {
			value = "nothing had to recover"
		}
		m.row(mark, mdCode(s.Expr), value)
	}
	m.linef("")
}

func (m *markdown) faults(r *Report) {
	if len(r.Faults) == 0 {
		return
	}
	m.row("At", "Fault", "What", "Lost", "Retried", "Recovery")
	m.row("--:", ":--", ":--", "--:", "--:", ":--")
	shown := r.Faults[:min(len(r.Faults), maxMarkdownFaults)]
	for i := range shown {
		f := &shown[i]
		back := "–"
		if f.State == "done" {
			back = backText(f, r)
		}
		m.row(at(f.StartS), mdCode(f.ID), mdText(truncate(faultDetail(f), 200)), units.FormatCount(f.FailedRequests), units.FormatCount(f.RetriedRequests), back)
	}
	m.linef("")
	if rest := len(r.Faults) - len(shown); rest > 0 {
		m.linef("… and %s more, all of them in the JSON report.\n", countOf(int64(rest), "fault"))
	}
	if s := unexplainedText(r); s != "" {
		m.linef("%s.\n", s)
	}
}

func mdVerdict(v Verdict) string {
	return verdictEmoji(v) + " " + mdText(strings.ToUpper(string(v)))
}

func verdictEmoji(v Verdict) string {
	switch v {
	case Pass:
		return "✅"
	case Inconclusive:
		return "❔"
	case Interrupted:
		return "⏹️"
	}
	return "❌"
}

// mdSpecial is what Markdown, or GitHub's extensions of it, would read as more
// than text.
var mdSpecial = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "|", `\|`, "[", `\[`, "]", `\]`, "!", `\!`, "$", `\$`,
	// A comment parts what would become a mention, a reference or a link.
	"@", "@<!-- -->", "#", "#<!-- -->", "://", ":<!-- -->//", "www.", "www<!-- -->.",
)

// mdInHTML does the same for the text of an element, in which a backslash is one.
var mdInHTML = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
	"@", "@<!-- -->", "#", "#<!-- -->", "://", ":<!-- -->//", "www.", "www<!-- -->.",
)

// mdText makes a text from outside safe within a line.
func mdText(s string) string {
	s = mdSpecial.Replace(clean(s))
	if s != "" && strings.ContainsAny(s[:1], "-+=") {
		s = `\` + s // a list, or a heading's underline
	}
	return s
}

// mdCode is a code span in a table: nothing in it is markup but the bar.
func mdCode(s string) string {
	s = clean(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + strings.ReplaceAll(s, "|", `\|`) + fence
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if first := strings.ToUpper(s[:min(len(s), 1)]); first != "" && first[0] < utf8.RuneSelf {
		s = first + s[1:]
	}
	return s + "."
}

package ab

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// HTML writes the report as a table, as ab -w does.
func HTML(w io.Writer, p Page, f *Figures) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n\n<table %s>\n", p.Table)
	for _, r := range p.rows(f) {
		value := html.EscapeString(strings.TrimSpace(r.value))
		switch {
		case r.label != "":
			fmt.Fprintf(&b, "<tr %s><th colspan=2 %s>%s</th><td colspan=2 %s>%s</td></tr>\n", p.Row, p.Cell, r.label, p.Cell, value)
		case value != "":
			fmt.Fprintf(&b, "<tr %s><td colspan=4 %s>%s</td></tr>\n", p.Row, p.Cell, value)
		}
	}
	if f.phases[total].n > 0 {
		p.htmlTimes(&b, f)
	}
	b.WriteString("</table>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Page) htmlTimes(b *strings.Builder, f *Figures) {
	fmt.Fprintf(b, "<tr %s><th %s colspan=4>Connection Times (ms)</th></tr>\n", p.Row, p.Cell)
	fmt.Fprintf(b, "<tr %s><th %[2]s>&nbsp;</th> <th %[2]s>min</th>   <th %[2]s>avg</th>   <th %[2]s>max</th></tr>\n", p.Row, p.Cell)
	for _, i := range []int{connecting, processing, total} {
		q := &f.phases[i]
		fmt.Fprintf(b, "<tr %s><th %s>%s</th>", p.Row, p.Cell, phaseNames[i].label)
		for _, ms := range []float64{q.at(0), q.mean(), q.at(1)} {
			fmt.Fprintf(b, "<td %s>%5d</td>", p.Cell, rounded(ms))
		}
		b.WriteString("</tr>\n")
	}
}

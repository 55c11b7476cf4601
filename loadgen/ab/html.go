package ab

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// HTML writes the report as a table, as ab -w does: with fewer lines than [Text].
func HTML(w io.Writer, p Page, f *Figures) error {
	p.TLS, p.TempKey, p.ServerName = "", "", ""
	var b strings.Builder
	fmt.Fprintf(&b, "\n\n<table %s>\n", p.Table)
	for _, r := range append(p.facts(f), p.htmlRates(f)...) {
		switch {
		case r.label != "":
			head := "th"
			if r.label == noLabel {
				head = "td"
			}
			fmt.Fprintf(&b, "<tr %s><%s colspan=2 %s>%s</%[2]s><td colspan=2 %[3]s>%[5]s</td></tr>\n", p.Row, head, p.Cell, r.label, html.EscapeString(r.value))
		case r.value != "":
			// ab's table has no count of what was not received.
			fmt.Fprintf(&b, "<tr %s><td colspan=4 %s >   (Connect: %d, Length: %d, Exceptions: %d)</td></tr>\n", p.Row, p.Cell, f.Connect, f.Length, f.Exceptions)
		}
	}
	if f.phases[total].n > 0 {
		p.htmlTimes(&b, f)
	}
	b.WriteString("</table>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

const noLabel = "&nbsp;"

// htmlRates are the lines that divide by the time taken.
func (p *Page) htmlRates(f *Figures) []row {
	seconds := f.Elapsed.Seconds()
	if seconds <= 0 {
		return nil
	}
	rate := func(bytes int64) string { return fmt.Sprintf("%.2f kb/s ", float64(bytes)/1024/seconds) }
	rows := []row{{"Requests per second:", fmt.Sprintf("%.2f", float64(f.Complete)/seconds)}, {"Transfer rate:", rate(f.In) + "received"}}
	if p.SentBody {
		rows = append(rows, row{noLabel, rate(f.Out) + "sent"}, row{noLabel, rate(f.In+f.Out) + "total"})
	}
	return rows
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

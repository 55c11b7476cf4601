package reports

import (
	"bytes"
	"io"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// table writes a table without lines, one column in. align has a letter for
// each column: l or r.
func (t *text) table(header []string, align string, rows [][]string) {
	aligns := make([]tw.Align, len(header))
	for i := range header {
		aligns[i] = tw.AlignLeft
		if align[i] == 'r' {
			aligns[i] = tw.AlignRight
		}
	}
	cells := tw.CellConfig{
		Alignment:  tw.CellAlignment{PerColumn: aligns},
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Padding:    tw.CellPadding{Global: tw.Padding{Left: "", Right: "   ", Overwrite: true}},
	}
	var b bytes.Buffer
	table := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Symbols: tw.NewSymbols(tw.StyleNone),
			Settings: tw.Settings{
				Separators: tw.SeparatorsNone,
				Lines:      tw.LinesNone,
			},
		})),
		tablewriter.WithConfig(tablewriter.Config{Header: cells, Row: cells}),
	)
	table.Header(header)
	// Neither fails when writing to a buffer.
	_ = table.Bulk(rows)
	_ = table.Render()
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, " ")
		if i == 0 {
			line = t.style(bold, line)
		}
		t.linef(" %s", line)
	}
}

// tableWidth is how many columns of a terminal a table takes.
func tableWidth(header []string, rows [][]string) int {
	sum := 1
	for i, title := range header {
		widest := width(title)
		for _, row := range rows {
			widest = max(widest, width(row[i]))
		}
		sum += widest
		if i > 0 {
			sum += 3
		}
	}
	return sum
}

// BudgetText writes what an objective (0…1) allows in each window, as a table.
func BudgetText(w io.Writer, objective float64, o TextOptions) error {
	t := &text{color: o.Color, width: o.Width}
	t.linef("%s of the time leaves for downtime", t.style(bold, percent(objective)))
	var rows [][]string
	for _, row := range BudgetTable(objective) {
		rows = append(rows, []string{"a " + row.Window, windowText(row.WindowS), units.FormatDuration(duration(row.AllowedS))})
	}
	t.WriteString("\n")
	t.table([]string{"WINDOW", "LENGTH", "DOWNTIME"}, "lrr", rows)
	_, err := io.WriteString(w, t.String())
	return err
}

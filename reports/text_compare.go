package reports

import (
	"io"
	"strings"
)

// ComparisonText writes what the runs of a suite are worth against each other,
// without the runs themselves.
func ComparisonText(w io.Writer, s *Suite, o TextOptions) error {
	t := &text{color: o.Color, width: o.Width}
	t.comparison(s.Comparison)
	_, err := io.WriteString(w, strings.TrimPrefix(t.String(), "\n"))
	return err
}

// comparison writes each side with its figures, and each pair with the words.
func (t *text) comparison(c *Comparison) {
	if c == nil {
		return
	}
	t.WriteString("\n")
	for i := range c.Sides {
		s := &c.Sides[i]
		t.linef("%s  %s · %s", t.style(bold, clean(s.Label)), clean(s.Name), countOf(int64(s.Runs), "run"))
	}
	if len(c.Pairs) == 0 {
		t.side(&c.Sides[0])
	}
	for i := range c.Pairs {
		t.pair(&c.Pairs[i])
	}
	for _, note := range c.Notes {
		t.linef(" %s %s", t.style(yellow, "!"), t.wrap(clean(note), 3, 3))
	}
}

// side writes what the repetitions of one scenario came to.
func (t *text) side(s *Side) {
	t.WriteString("\n")
	t.table([]string{"METRIC", "MEAN", "95 % INTERVAL"}, "lrl", s.rows())
}

func (t *text) pair(p *Pair) {
	rows := p.rows()
	for i, d := range p.Differences {
		rows[i][wordColumn] = t.word(d.Word)
	}
	t.WriteString("\n")
	from, to := clean(p.From), clean(p.To)
	t.table([]string{"METRIC", from, to, "DIFFERENCE", "99 % INTERVAL", to + " IS"}, "lrrrrl", rows)
	for _, remark := range p.remarks() {
		t.linef("   %s", t.wrap(remark, 3, 5))
	}
}

func (t *text) word(w Word) string {
	switch w {
	case Better:
		return t.style(green, string(w))
	case Worse:
		return t.style(red, string(w))
	}
	return clean(string(w))
}

// rows are a side's metrics: name, mean, interval or why there is none.
func (s *Side) rows() [][]string {
	var rows [][]string
	for _, f := range s.Figures {
		between := clean(f.Reason)
		if f.Mean != nil && f.CI95 != nil {
			between = intervalValue(f.Unit, *f.Mean, *f.CI95)
		}
		rows = append(rows, []string{clean(f.Metric), figureOr(f.Unit, f.Mean), between})
	}
	return rows
}

// wordColumn is the one of a pair's rows that each renderer colours.
const wordColumn = 5

// rows are a pair's metrics: name, both figures, difference, interval, word.
func (p *Pair) rows() [][]string {
	var rows [][]string
	for i := range p.Differences {
		d := &p.Differences[i]
		rows = append(rows, []string{clean(d.Metric), figureOr(d.Unit, d.From), figureOr(d.Unit, d.To), d.deltaText(), d.betweenText(), clean(string(d.Word))})
	}
	return rows
}

// deltaText is "+0.34 points", "−120 ms", "× 2.1".
func (d *Difference) deltaText() string {
	switch {
	case d.Difference == nil:
		return "–"
	case d.Unit == "rate" && d.Factor != nil:
		return "× " + factor(*d.Factor)
	}
	return signed(d.Unit, *d.Difference)
}

func (d *Difference) betweenText() string {
	if d.Interval == nil {
		return "–"
	}
	return signed(d.Unit, d.Interval[0]) + " to " + signed(d.Unit, d.Interval[1])
}

func signed(unit string, v float64) string {
	sign := "+"
	switch {
	case v < 0:
		sign, v = "−", -v
	case v == 0:
		sign = "±"
	}
	if unit == "ratio" {
		return sign + factor(100*v) + " points"
	}
	return sign + formatValue(unit, v)
}

func figureOr(unit string, v *float64) string {
	if v == nil {
		return "unknown"
	}
	return formatValue(unit, *v)
}

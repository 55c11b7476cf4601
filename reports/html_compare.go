package reports

import (
	"strings"

	"github.com/hachaos/hachaos/reports/units"
)

// htmlComparison is what the differences between a suite's sides are worth.
type htmlComparison struct {
	Sides  []string
	Tables []htmlTable
	Notes  []string
}

// newHTMLComparison returns nil where nothing was compared.
func newHTMLComparison(c *Comparison) *htmlComparison {
	if c == nil || len(c.Sides) == 0 {
		return nil
	}
	v := &htmlComparison{Notes: cleanAll(c.Notes)}
	for _, s := range c.Sides {
		v.Sides = append(v.Sides, clean(s.Label)+": "+clean(s.Name)+", "+countOf(int64(s.Runs), "run"))
	}
	if len(c.Pairs) == 0 {
		v.Tables = append(v.Tables, sideTable(&c.Sides[0]))
	}
	for i := range c.Pairs {
		v.Tables = append(v.Tables, pairTable(&c.Pairs[i]))
	}
	return v
}

// sideTable is what the repetitions of one scenario came to.
func sideTable(s *Side) htmlTable {
	return newHTMLTable(clean(s.Name), "lnl", []string{"Metric", "Mean", "95 % interval"}, s.rows())
}

func pairTable(p *Pair) htmlTable {
	from, to := clean(p.From), clean(p.To)
	t := newHTMLTable(to+" against "+from, "lnnnnl", []string{"Metric", from, to, "Difference", "99 % interval", to + " is"}, p.rows())
	for i := range t.Rows {
		switch p.Differences[i].Word {
		case Better:
			t.Rows[i][wordColumn].Class = "good"
		case Worse:
			t.Rows[i][wordColumn].Class = "bad"
		}
	}
	var more []string
	for _, remark := range p.remarks() {
		more = append(more, sentence(remark))
	}
	t.More = strings.Join(more, " ")
	return t
}

// htmlProjection is the year that a run lets expect.
type htmlProjection struct {
	Sentences []string
	Table     htmlTable
}

// newHTMLProjection returns nil where the scenario gave no rates.
func newHTMLProjection(p *Projection) *htmlProjection {
	if p == nil {
		return nil
	}
	if p.Availability == nil {
		return &htmlProjection{Sentences: []string{"A year's availability is unknown: " + clean(p.Reason) + "."}}
	}
	v := &htmlProjection{Sentences: []string{"In a year with nothing but these faults, " + units.FormatPercent(*p.Availability) + " availability is to be expected" + intervalText(p.Availability, p.AvailabilityCI95) + "."}}
	if p.AvailabilityCI95 == nil {
		v.Sentences = append(v.Sentences, "There is no interval: "+clean(p.Reason)+".")
	}
	if p.DowntimeS != nil && p.AllowedS != nil && p.Objective != nil {
		v.Sentences = append(v.Sentences, "That is "+formatSeconds(*p.DowntimeS)+" of downtime; "+percent(*p.Objective)+" allows "+formatSeconds(*p.AllowedS)+" a year.")
	}
	count := func(f *float64) string {
		if f == nil {
			return "–"
		}
		return factor(*f)
	}
	var rows [][]string
	for _, f := range p.Faults {
		rows = append(rows, []string{clean(f.Name), factor(f.PerYear), secondsOr(f.MeanLostS), secondsOr(f.DowntimeS), count(f.BearablePerYear)})
	}
	v.Table = newHTMLTable("A year, fault by fault", "lnnnn", []string{"Fault", "Times a year", "Costs each", "Downtime a year", "Bearable a year, alone"}, rows)
	return v
}

// practiceTable is the checklist of practices of high availability.
func practiceTable(r *Report) htmlTable {
	var rows [][]string
	for _, p := range r.Practices {
		mark := map[PracticeState]string{Shown: "✔ ", NotShown: "✘ "}[p.State]
		rows = append(rows, []string{clean(p.Name), mark + clean(string(p.State)), clean(p.Figure)})
	}
	return newHTMLTable("Practices of high availability", "llt", []string{"Practice", "In this run", "Figure"}, rows)
}

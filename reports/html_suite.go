package reports

import (
	"slices"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
)

// htmlSuite is the comparison of a suite's runs.
type htmlSuite struct {
	Title       string
	Verdict     Verdict // the gravest
	VerdictWord string
	VerdictText string
	Mark        string
	Counts      []string
	Columns     []string
	Rows        []htmlSuiteRow
	Comparison  *htmlComparison // nil: nothing was compared
}

type htmlSuiteRow struct {
	ID, Label   string
	Verdict     Verdict
	VerdictWord string
	Cells       []htmlSuiteCell
	Words       string // of the course
	Bands       []stillBand
	Paths       []stillPath
}

type htmlSuiteCell struct {
	htmlFigure
	Bar   bool
	Width string // percent of the column's largest figure
}

// gravest orders verdicts as their exit codes are ordered.
var gravest = []Verdict{Interrupted, Error, Inconclusive, Aborted, Fail, Pass}

func newHTMLSuite(s *Suite, runs []htmlRun) *htmlSuite {
	v := &htmlSuite{Title: suiteTitle(s), Comparison: newHTMLComparison(s.Comparison)}
	counts := map[Verdict]int64{}
	for _, r := range s.Runs {
		counts[r.Verdict]++
	}
	for _, verdict := range gravest {
		if counts[verdict] == 0 {
			continue
		}
		if v.Verdict == "" {
			v.Verdict, v.VerdictWord, v.Mark = verdict, strings.ToUpper(string(verdict)), verdictMark(verdict)
		}
		v.Counts = append(v.Counts, units.FormatCount(counts[verdict])+" "+string(verdict))
	}
	v.VerdictText = "of " + countOf(int64(len(s.Runs)), "run") + ", the gravest outcome"
	if len(counts) == 1 {
		v.VerdictText = "all " + countOf(int64(len(s.Runs)), "run")
	}
	for i, r := range s.Runs {
		row := htmlSuiteRow{ID: runs[i].ID, Label: runs[i].Label, Verdict: r.Verdict, VerdictWord: runs[i].VerdictWord, Words: "the course of " + runs[i].Label}
		figures := suiteFigures(r)
		if i == 0 {
			for _, f := range figures {
				v.Columns = append(v.Columns, f.Label)
			}
		}
		for _, f := range figures {
			row.Cells = append(row.Cells, htmlSuiteCell{htmlFigure: f})
		}
		if len(r.Timeline.OK) > 0 {
			row.Bands, _ = stillMarkers(r)
			row.Paths = requestsCourse(&r.Timeline).Paths
		}
		v.Rows = append(v.Rows, row)
	}
	v.barsOf("downtime", "failed", "recovery", "p99", "throughput")
	return v
}

func suiteTitle(s *Suite) string {
	var names []string
	for _, r := range s.Runs {
		if name := clean(r.Scenario.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 1 && len(s.Runs) > 1 {
		return names[0] + " × " + units.FormatCount(int64(len(s.Runs)))
	}
	if len(names) == 2 {
		return names[0] + " and " + names[1]
	}
	return listed(names, 3)
}

// suiteFigures are the columns of the comparison.
func suiteFigures(r *Report) []htmlFigure {
	all := allRequests(r)
	count := func(v float64) string { return units.FormatCount(int64(v)) }
	lost := figureOf("failed", "Failed requests", nil, count)
	if all.done() > 0 {
		failed := float64(all.Failed)
		lost = figureOf("failed", "Failed requests", &failed, count)
	}
	outages := float64(len(r.Availability.Outages))
	out := figureOf("outages", "Outages", nil, count)
	if r.Availability.Uptime != nil {
		out = figureOf("outages", "Outages", &outages, count)
	}
	figures := []htmlFigure{availabilityFigure(r), uptimeFigure(r), downtimeFigure(r), out, lost, recoveryFigure(r), latencyFigure(r), throughputFigure(r)}
	if len(r.Faults) == 0 {
		figures[5].Text = "no fault"
	}
	return figures
}

// barsOf draws bars in some columns; a figure that is worse when larger has a
// red one.
func (s *htmlSuite) barsOf(names ...string) {
	for column := range s.Columns {
		most := 0.0
		for _, row := range s.Rows {
			most = max(most, row.Cells[column].number)
		}
		for i := range s.Rows {
			c := &s.Rows[i].Cells[column]
			if !c.Known || most == 0 || !slices.Contains(names, c.Name) {
				continue
			}
			c.Bar, c.Width = true, coordinate(100*c.number/most)
			if c.Tone = "bad"; c.Name == "throughput" {
				c.Tone = "good"
			}
		}
	}
}

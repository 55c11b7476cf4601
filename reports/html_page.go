package reports

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/reports/units"
)

// htmlPage is what the template shows. Every text in it is cleaned and laid out;
// the template escapes.
type htmlPage struct {
	Title, Version string
	Policy         string
	Style          template.CSS
	Library        template.JS
	Script         template.JS
	Suite          *htmlSuite // nil: one report
	Runs           []htmlRun
	Charts         []htmlCourse // one a run, for the script
}

// htmlRun is one run's part of the page.
type htmlRun struct {
	Index         int
	ID            string // its anchor
	Label         string // its name, numbered where there are several
	Open          bool
	Name          string
	Description   string
	Facts         []string
	Verdict       Verdict
	VerdictWord   string
	VerdictText   string
	Mark          string
	Reasons       []string
	Warnings      []string
	Figures       []htmlFigure
	Objectives    []htmlObjective
	Courses       []stillCourse
	Lanes         *htmlLanes // nil: nothing was broken, and nothing was out
	Distributions []htmlDistribution
	Budget        *htmlBudget
	Projection    *htmlProjection
	Tables        []htmlTable
	Appendix      []htmlTable // folded away
}

type htmlObjective struct {
	Expr, Value string
	OK          bool
}

// maxOpenRuns is how many runs of a suite are unfolded from the start.
const maxOpenRuns = 3

func newPage(doc Document) *htmlPage {
	runs := doc.Reports()
	p := &htmlPage{Title: "hachaos: nothing was run", Charts: []htmlCourse{}}
	for i, r := range runs {
		run := newHTMLRun(i, r)
		run.Label = runLabel(runs, i)
		run.Open = len(runs) <= maxOpenRuns
		p.Runs = append(p.Runs, run)
		p.Charts = append(p.Charts, newHTMLCourse(run.ID, r))
		p.Version = clean(r.Environment.Hachaos)
	}
	if suite, ok := doc.(*Suite); ok {
		p.Suite = newHTMLSuite(suite, p.Runs)
		p.Title = p.Suite.Title + " · hachaos"
	} else if len(runs) > 0 {
		p.Title = p.Runs[0].Name + ": " + p.Runs[0].VerdictWord + " · hachaos"
	}
	return p
}

// runLabel is a run's name, numbered where a name comes more than once.
func runLabel(runs []*Report, i int) string {
	n, before := 0, 0
	for k, r := range runs {
		if r.Scenario.Name == runs[i].Scenario.Name && r.Scenario.Variant == runs[i].Scenario.Variant {
			n++
			if k < i {
				before++
			}
		}
	}
	name := clean(sideName(runs[i]))
	if n > 1 {
		name += fmt.Sprintf(" %d", before+1)
	}
	return name
}

func newHTMLRun(i int, r *Report) htmlRun {
	run := htmlRun{
		Index:       i,
		ID:          "run-" + strconv.Itoa(i+1),
		Name:        clean(sideName(r)),
		Description: cleanLines(r.Scenario.Description),
		Facts:       htmlFacts(r),
		Verdict:     r.Verdict,
		VerdictWord: strings.ToUpper(clean(string(r.Verdict))),
		VerdictText: verdictText(r),
		Mark:        verdictMark(r.Verdict),
		Reasons:     cleanAll(r.Reasons),
		Warnings:    cleanAll(r.Warnings),
		Figures:     htmlFigures(r),
		Courses:     stillCourses(r),
		Lanes:       newHTMLLanes(r),
		Budget:      newHTMLBudget(r.Budget),
		Projection:  newHTMLProjection(r.Projection),
		Tables:      htmlTables(r),
		Appendix:    htmlAppendix(r),
	}
	for _, s := range r.SLOs {
		value := s.text()
		if s.Value == nil && s.OK {
			value = "nothing had to recover:"
		}
		run.Objectives = append(run.Objectives, htmlObjective{clean(s.Expr), value, s.OK})
	}
	for _, l := range r.Load {
		if d := newHTMLDistribution(l); d != nil {
			if len(r.Load) > 1 {
				d.Name = clean(l.Name)
			}
			run.Distributions = append(run.Distributions, *d)
		}
	}
	return run
}

func htmlFacts(r *Report) []string {
	facts := []string{targetText(r.Target)}
	if d := dependencyText(r.Dependencies); d != "" {
		facts = append(facts, d)
	}
	facts = append(facts, loadText(r), fmt.Sprintf("seed %d", r.Scenario.Seed))
	if !r.Started.IsZero() {
		facts = append(facts, r.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if e := r.Environment; e.CPUs > 0 {
		facts = append(facts, clean(e.OS)+"/"+clean(e.Arch)+", "+countOf(int64(e.CPUs), "CPU"))
	}
	return facts
}

// verdictText says in a few words what the verdict rests on.
func verdictText(r *Report) string {
	missed := int64(0)
	for _, s := range r.SLOs {
		if !s.OK {
			missed++
		}
	}
	all := int64(len(r.SLOs))
	switch r.Verdict {
	case Pass:
		switch all {
		case 0:
			return "no objective was set"
		case 1:
			return "the objective is met"
		}
		return "all " + units.FormatCount(all) + " objectives are met"
	case Fail:
		return fmt.Sprintf("%s of %s %s missed", units.FormatCount(missed), countOf(all, "objective"), verb(missed, "is", "are"))
	case Inconclusive:
		if !limited(r) {
			return "the prober saw too little to judge by"
		}
		return "the generator's own limits are in the figures"
	case Error:
		return "the run could not be done as written"
	case Interrupted:
		return "a signal ended the run before its time"
	case Aborted:
		return "abort_if ended the run before its time"
	}
	return ""
}

// limited tells whether the generator's own limits are in the figures.
func limited(r *Report) bool {
	own := loadgen.CauseGenerator.String()
	for _, l := range r.Load {
		if l.Generator.Saturated || l.Failures[own] > 0 {
			return true
		}
	}
	return slices.ContainsFunc(r.Probes, func(p Probe) bool { return p.Failures[own] > 0 })
}

func verdictMark(v Verdict) string {
	switch v {
	case Pass:
		return "✔"
	case Inconclusive:
		return "?"
	case Interrupted:
		return "■"
	}
	return "✘"
}

func cleanAll(texts []string) []string {
	cleaned := make([]string, len(texts))
	for i, s := range texts {
		cleaned[i] = clean(s)
	}
	return cleaned
}

// cleanLines is clean, line by line.
func cleanLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(cleanAll(lines), "\n")
}

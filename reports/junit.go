package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// JUnit writes a document as JUnit XML, as GitLab, Jenkins and GitHub's viewers
// read it: a suite for each run, a case for each objective, and before them one
// for the run itself, so that no run is without a case. What each fault did is
// the suite's system-out, and that of every case that did not pass.
//
// An objective that is missed is a failure. Of a run that could not be done, was
// interrupted, or measured its own generator, no objective has been judged: they
// are skipped, and the run's own case is an error, skipped, or an error.
func JUnit(w io.Writer, doc Document) error {
	all := junitSuites{Name: "hachaos"}
	runs := doc.Reports()
	for i, r := range runs {
		s := newJUnitSuite(r, runLabel(runs, i))
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
		all.seconds += r.DurationS
		all.Suites = append(all.Suites, s)
	}
	all.Time = junitTime(all.seconds)
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	return err
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
	seconds  float64
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        string          `xml:"system-out,omitempty"`
	Err        string          `xml:"system-err,omitempty"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitOutcome `xml:"skipped"`
	Error   *junitOutcome `xml:"error"`
	Failure *junitOutcome `xml:"failure"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitOutcome struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func newJUnitSuite(r *Report, label string) junitSuite {
	s := junitSuite{
		Name: label, Time: junitTime(r.DurationS),
		Properties: []junitProperty{
			{"verdict", clean(string(r.Verdict))},
			{"seed", strconv.FormatUint(r.Scenario.Seed, 10)},
			{"target", targetText(r.Target)},
			{"availability", percentOr(r.Availability.Availability)},
			{"uptime", percentOr(r.Availability.Uptime)},
			{"downtime", secondsOr(r.Availability.DowntimeS)},
			{"hachaos", clean(r.Environment.Hachaos)},
		},
		Out: junitFaults(r), Err: strings.Join(cleanAll(r.Warnings), "\n"),
	}
	if !r.Started.IsZero() {
		s.Timestamp = r.Started.UTC().Format("2006-01-02T15:04:05")
	}
	s.add(junitRun(r), label)
	for _, o := range r.SLOs {
		s.add(junitObjective(r, o), label)
	}
	return s
}

func (s *junitSuite) add(c junitCase, label string) {
	c.Class, c.Time = "hachaos."+label, s.Time
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	if c.Failure != nil || c.Error != nil {
		c.Out = s.Out // GitLab shows only that of the case
	}
	s.Cases = append(s.Cases, c)
}

// junitRun is the case of the run itself.
func junitRun(r *Report) junitCase {
	c := junitCase{Name: "the run could be done and judged"}
	outcome := &junitOutcome{Message: verdictText(r), Type: clean(string(r.Verdict)), Text: strings.Join(cleanAll(r.Reasons), "\n")}
	if len(r.Reasons) > 0 {
		outcome.Message = clean(r.Reasons[0])
	}
	switch r.Verdict {
	case Pass, Fail:
	case Aborted:
		c.Failure = outcome
	case Interrupted:
		c.Skipped = &junitOutcome{Message: outcome.Message}
	default:
		c.Error = outcome
	}
	return c
}

func junitObjective(r *Report, o SLO) junitCase {
	c := junitCase{Name: clean(o.Expr)}
	switch r.Verdict {
	case Inconclusive, Error, Interrupted:
		c.Skipped = &junitOutcome{Message: "not judged, since " + verdictText(r) + ": " + o.text()}
		return c
	}
	if !o.OK {
		message := clean(o.Expr) + " is not met: " + o.text()
		c.Failure = &junitOutcome{Message: message, Type: "objective", Text: message}
		for _, reason := range r.Reasons {
			if strings.HasPrefix(reason, o.Expr+" ") {
				c.Failure.Text = clean(reason)
			}
		}
	}
	return c
}

func junitFaults(r *Report) string {
	var lines []string
	for i := range r.Faults {
		f := &r.Faults[i]
		line := at(f.StartS) + "  " + clean(f.ID) + "  " + faultDetail(f)
		if f.State == "done" {
			line += "; " + lostText(f) + "; " + backText(f, r)
		}
		lines = append(lines, line)
	}
	if s := unexplainedText(r); s != "" {
		lines = append(lines, s)
	}
	for _, o := range r.Availability.Outages {
		lines = append(lines, at(o.StartS)+"  "+outageWords(o))
	}
	return strings.Join(lines, "\n")
}

func junitTime(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 3, 64) }

func secondsOr(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return formatSeconds(*v)
}

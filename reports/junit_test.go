package reports

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hachaos/hachaos/loadgen"
)

func junitOf(t *testing.T, doc Document) junitSuites {
	t.Helper()
	var s junitSuites
	if err := xml.Unmarshal([]byte(rendered(t, "junit", doc)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJUnitGolden(t *testing.T) {
	runs := goldenRuns()
	golden(t, "suite.xml", rendered(t, "junit", NewSuite(Fold(runs["pass"]), Fold(runs["outage-to-end"]), Fold(runs["error"]))))
}

// What a verdict becomes, and that the counts are those of the cases.
func TestJUnitVerdicts(t *testing.T) {
	runs := goldenRuns()
	for name, want := range map[string]struct{ tests, failures, errors, skipped int }{
		"pass":          {4, 0, 0, 0},
		"outage-to-end": {5, 4, 0, 0},
		"inconclusive":  {4, 0, 1, 3},
		"interrupted":   {4, 0, 0, 4},
		"error":         {1, 0, 1, 0},
		"skipped":       {4, 1, 0, 0}, // aborted, all objectives met until then
	} {
		s := junitOf(t, Fold(runs[name])).Suites[0]
		if s.Tests != want.tests || s.Failures != want.failures || s.Errors != want.errors || s.Skipped != want.skipped {
			t.Errorf("%s: %d tests, %d failures, %d errors, %d skipped; want %+v", name, s.Tests, s.Failures, s.Errors, s.Skipped, want)
		}
		if len(s.Cases) != s.Tests {
			t.Errorf("%s: %d cases of %d tests", name, len(s.Cases), s.Tests)
		}
	}
}

// No text of a report breaks the XML, and none of its control characters stand
// in it.
func TestJUnitEscapes(t *testing.T) {
	r := hostileReport()
	r.Scenario.Name = "]]>\x00\x1b[31m\u202e\ufffe\xff" + evil
	r.SLOs[0].Expr, r.SLOs[0].OK = "a\x08b", false
	text := rendered(t, "junit", r)
	for _, char := range text {
		if char == utf8.RuneError {
			continue
		}
		if char < 0x20 && char != '\n' || char == 0xfffe || char == 0x202e {
			t.Fatalf("%U stands in the XML", char)
		}
	}
	s := junitOf(t, r)
	if !strings.Contains(s.Suites[0].Name, "</script><script>") || !strings.HasPrefix(s.Suites[0].Name, `]]>\x00\x1b[31m\u202e`) {
		t.Errorf("the name reads %q", s.Suites[0].Name)
	}
	if strings.Contains(text, "<script") {
		t.Error("a text became an element")
	}
}

// Whoever reads that none of the faults lost a request is told of those that did
// fail, in every format that is read.
func TestUnexplainedIsTold(t *testing.T) {
	run := crashRun()
	run.Loads = []*loadgen.Recording{stream("main", 1000, cell(9*time.Second, 9*time.Second, 4))}
	r := Fold(run)
	const said = "4 failed requests are explained by no fault"
	for _, format := range []string{"txt", "html", "markdown", "junit"} {
		if text := rendered(t, format, r); !strings.Contains(text, said) {
			t.Errorf("%s does not say it:\n%s", format, text)
		}
	}
	run.Faults = nil
	for _, format := range []string{"txt", "html", "markdown", "junit"} {
		if text := rendered(t, format, Fold(run)); strings.Contains(text, "by no fault") {
			t.Errorf("%s speaks of faults where there is none", format)
		}
	}
}

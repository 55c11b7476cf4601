package reports

import (
	"regexp"
	"strings"
	"testing"
)

func TestMarkdownGolden(t *testing.T) {
	runs := goldenRuns()
	golden(t, "report.md", rendered(t, "markdown", richReport()))
	golden(t, "dependencies.md", rendered(t, "markdown", Fold(dependentRun())))
	golden(t, "suite.md", rendered(t, "markdown", NewSuite(Fold(runs["pass"]), Fold(runs["outage-to-end"]), Fold(runs["error"]))))
}

var codeSpans = regexp.MustCompile("``?`?`?[^`\n]+`+")

// Texts from outside make no element, no link, no mention and no cell.
// A summary is HTML: what Markdown escapes by a backslash stands there as it is.
func TestMarkdownSummary(t *testing.T) {
	r := richReport()
	r.Scenario.Variant = "max_in_flight=3 <b> @you"
	text := rendered(t, "markdown", NewSuite(r, r))
	if want := "max_in_flight=3 &lt;b&gt; @<!-- -->you 1</summary>"; !strings.Contains(text, want) {
		t.Errorf("no %s in:\n%s", want, text)
	}
}

func TestMarkdownEscapes(t *testing.T) {
	r := hostileReport()
	r.Reasons = []string{"@everyone see [this](javascript:alert(1)) ![x](http://x/) # *bold* www.evil.example #12 | a | b\n## heading", "- item"}
	r.SLOs[0].Expr = "`a | b` <b>"
	text := rendered(t, "markdown", NewSuite(r, r))
	outside := codeSpans.ReplaceAllString(text, "CODE")
	for _, own := range []string{"<details>", "</details>", "<summary>", "</summary>", "<!-- -->"} {
		outside = strings.ReplaceAll(outside, own, "")
	}
	for what, bad := range map[string]string{
		"an element": `<`, "a mention": `@[a-z]`, "a link": `[^\\]\]\(`, "an address": `://|www\.`, "emphasis": `[^\\*]\*[a-z]`,
		"a reference": `[a-z ]#\d`,
	} {
		// The comments that part them have been cut out above: look at the text with them.
		in := outside
		if what == "a mention" || what == "an address" || what == "a reference" {
			in = codeSpans.ReplaceAllString(text, "CODE")
		}
		if found := regexp.MustCompile(bad).FindString(in); found != "" {
			t.Errorf("%s: %q", what, found)
		}
	}
	// Every line of a table has as many cells as its head.
	columns := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		cells := len(regexp.MustCompile(`(^|[^\\])\|`).FindAllString(line, -1))
		if columns != 0 && cells != columns {
			t.Errorf("%d cells, not %d: %s", cells, columns, line)
		}
		columns = cells
	}
}

package reports

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestOpenMetricsGolden(t *testing.T) {
	golden(t, "report.prom", rendered(t, "openmetrics", Fold(goldenRuns()["skipped"])))
}

// The text is parsed again, its names are as Prometheus wants them, and what is
// unknown is not there.
func TestOpenMetrics(t *testing.T) {
	for name, doc := range map[string]Document{"rich": richReport(), "suite": NewSuite(richReport(), unknownReport()), "hostile": hostileReport(), "empty": Fold(Run{})} {
		text := rendered(t, "openmetrics", doc)
		if !strings.HasSuffix(text, "# EOF\n") || strings.Count(text, "# EOF") != 1 {
			t.Errorf("%s: does not end as OpenMetrics has to", name)
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: a figure that is none", name)
		}
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(NewCollector(doc.Reports))
		families, err := registry.Gather()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var plain bytes.Buffer
		for _, family := range families {
			if _, err := expfmt.MetricFamilyToText(&plain, family); err != nil {
				t.Fatal(err)
			}
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if _, err := parser.TextToMetricFamilies(bytes.NewReader(plain.Bytes())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		problems, err := promlint.New(&plain).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v, %v", name, problems, err)
		}
	}
	if text := rendered(t, "openmetrics", unknownReport()); strings.Contains(text, "hachaos_availability_ratio{") || strings.Contains(text, "hachaos_uptime_ratio{") {
		t.Error("an unknown figure is there")
	}
}

// While a run goes on it has no verdict, and one that has not begun has no series.
func TestCollectorOfUnfinishedRuns(t *testing.T) {
	so := *richReport()
	so.Verdict = ""
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(NewCollector(func() []*Report { return []*Report{&so, nil} }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == metricVerdict.name {
			t.Error("it has a verdict")
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "run" && l.GetValue() != "1" {
					t.Errorf("%s of run %s", f.GetName(), l.GetValue())
				}
			}
		}
	}
}

// Each line is what CloudWatch reads: every metric and dimension that is
// declared is a member.
func TestEMF(t *testing.T) {
	for _, doc := range []Document{richReport(), NewSuite(unknownReport(), hostileReport())} {
		lines := 0
		scanner := bufio.NewScanner(strings.NewReader(rendered(t, "emf", doc)))
		for scanner.Scan() {
			lines++
			var members map[string]any
			if err := json.Unmarshal(scanner.Bytes(), &members); err != nil {
				t.Fatal(err)
			}
			var head struct {
				AWS struct {
					Timestamp         int64
					CloudWatchMetrics []struct {
						Namespace  string
						Dimensions [][]string
						Metrics    []struct{ Name, Unit string }
					}
				} `json:"_aws"`
			}
			if err := json.Unmarshal(scanner.Bytes(), &head); err != nil || len(head.AWS.CloudWatchMetrics) != 1 {
				t.Fatalf("%v: %s", err, scanner.Text())
			}
			directive := head.AWS.CloudWatchMetrics[0]
			if directive.Namespace != "hachaos" || len(directive.Metrics) == 0 || len(directive.Metrics) > 100 {
				t.Errorf("namespace %q with %d metrics", directive.Namespace, len(directive.Metrics))
			}
			for _, m := range directive.Metrics {
				if v, ok := members[m.Name].(float64); !ok || math.IsNaN(v) {
					t.Errorf("%s is %v", m.Name, members[m.Name])
				}
			}
			for _, d := range directive.Dimensions[0] {
				if v, ok := members[d].(string); !ok || strings.TrimSpace(v) == "" {
					t.Errorf("dimension %s is %q", d, members[d])
				}
			}
		}
		want := 0
		for _, r := range doc.Reports() {
			want += 1 + len(r.Load) + len(r.Faults)
		}
		if lines != want {
			t.Errorf("%d lines, want %d", lines, want)
		}
	}
}

// Every metric that the dashboard shows is one that is there.
func TestDashboard(t *testing.T) {
	var b bytes.Buffer
	if err := Dashboard(&b); err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			ID      int
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	exposed := rendered(t, "openmetrics", richReport())
	var names []string
	for i, p := range d.Panels {
		for _, other := range d.Panels[:i] {
			a, b := p.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H || p.ID == other.ID {
				t.Errorf("panels %d and %d lie over each other", other.ID, p.ID)
			}
		}
		for _, target := range p.Targets {
			names = append(names, regexp.MustCompile(`hachaos_\w+`).FindAllString(target.Expr, -1)...)
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d metrics", len(names))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !strings.Contains(exposed, "\n"+name+"{") {
			t.Errorf("there is no %s", name)
		}
	}
}

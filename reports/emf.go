package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// EMF writes a document as lines of CloudWatch's embedded metric format: one for
// each run, stream and fault, stamped with the run's end (a fault with its
// start). Ratios are 0…1 without a unit. What is unknown is left out.
//
// The format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func EMF(w io.Writer, doc Document) error {
	for i, r := range doc.Reports() {
		for _, line := range emfLines(i+1, r) {
			b, err := json.Marshal(line.members())
			if err != nil {
				return fmt.Errorf("write embedded metrics: %w", err)
			}
			if _, err := w.Write(append(b, '\n')); err != nil {
				return err
			}
		}
	}
	return nil
}

// emfLine is one line: its dimensions, in order, its metrics, and what else it
// says.
type emfLine struct {
	at         int64 // milliseconds since 1970
	dimensions [][2]string
	metrics    []emfMetric
	properties map[string]any
}

type emfMetric struct {
	name, unit string
	value      float64
}

func (l *emfLine) add(name, unit string, v float64) {
	l.metrics = append(l.metrics, emfMetric{name, unit, v})
}

func (l *emfLine) known(name, unit string, v *float64) {
	if v != nil {
		l.add(name, unit, *v)
	}
}

func (l *emfLine) members() map[string]any {
	type definition struct {
		Name string `json:"Name"`
		Unit string `json:"Unit"`
	}
	names, definitions := []string{}, []definition{}
	line := map[string]any{}
	maps.Copy(line, l.properties)
	for _, d := range l.dimensions {
		names = append(names, d[0])
		line[d[0]] = emfDimension(d[1])
	}
	for _, m := range l.metrics {
		definitions = append(definitions, definition{m.name, m.unit})
		line[m.name] = m.value
	}
	line["_aws"] = map[string]any{
		"Timestamp": l.at,
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": "hachaos", "Dimensions": [][]string{names}, "Metrics": definitions,
		}},
	}
	return line
}

// emfDimension is a dimension's value: printable, not blank, and at most 1,024
// characters.
func emfDimension(s string) string {
	s = clean(s)
	if strings.TrimSpace(s) == "" {
		return "unknown"
	}
	if runes := []rune(s); len(runes) > 1024 {
		return string(runes[:1024])
	}
	return s
}

func emfLines(n int, r *Report) []*emfLine {
	scenario := [2]string{"Scenario", sideName(r)}
	end := r.Started.UnixMilli() + int64(r.DurationS*1e3)
	common := func(more map[string]any) map[string]any {
		p := map[string]any{"Run": n, "Seed": r.Scenario.Seed, "Verdict": string(r.Verdict)}
		maps.Copy(p, more)
		return p
	}
	run := &emfLine{at: end, dimensions: [][2]string{scenario}, properties: common(nil)}
	a := &r.Availability
	run.known("Availability", "None", a.Availability)
	run.known("Uptime", "None", a.Uptime)
	run.known("Downtime", "Seconds", a.DowntimeS)
	run.known("LongestStall", "Seconds", a.LongestStallS)
	run.known("MTTR", "Seconds", a.MTTRS)
	if a.Uptime != nil {
		run.add("Outages", "Count", float64(len(a.Outages)))
	}
	if r.Budget != nil {
		run.known("BudgetSpent", "None", r.Budget.SpentRatio)
	}
	missed := 0.0
	for _, o := range r.SLOs {
		if !o.OK {
			missed++
		}
	}
	run.add("ObjectivesMissed", "Count", missed)
	lines := []*emfLine{run}
	for _, l := range r.Load {
		stream := &emfLine{at: end, dimensions: [][2]string{scenario, {"Stream", l.Name}}, properties: common(nil)}
		stream.known("Availability", "None", l.Availability)
		stream.add("Requests", "Count", float64(l.Requests.OK+l.Requests.Failed))
		stream.add("FailedRequests", "Count", float64(l.Requests.Failed))
		stream.add("RetriedRequests", "Count", float64(l.Requests.Retried))
		stream.add("DegradedRequests", "Count", float64(l.Requests.Degraded))
		stream.known("Throughput", "Count/Second", l.ThroughputRPS)
		if q := l.LatencyMS; q != nil {
			stream.add("LatencyP50", "Milliseconds", q.P50)
			stream.add("LatencyP99", "Milliseconds", q.P99)
			stream.add("LatencyMax", "Milliseconds", q.Max)
		}
		lines = append(lines, stream)
	}
	for i := range r.Faults {
		f := &r.Faults[i]
		fault := &emfLine{
			at: r.Started.UnixMilli() + int64(f.StartS*1e3), dimensions: [][2]string{scenario, {"Fault", f.Name}},
			properties: common(map[string]any{"Id": clean(f.ID), "Kind": clean(f.Kind), "State": clean(f.State), "Detail": clean(f.Detail)}),
		}
		fault.add("FaultFailedRequests", "Count", float64(f.FailedRequests))
		fault.known("Recovery", "Seconds", f.RecoveryS)
		lines = append(lines, fault)
	}
	return lines
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

package reports

import "io"

// Dashboard writes a Grafana dashboard for the metrics of [Collector], to be
// imported as it is. It asks for the Prometheus to read when it is opened.
func Dashboard(w io.Writer) error {
	b := &dashboardBuilder{}
	stat := func(title, unit string, m *metric) { b.stat(title, unit, selected(m.name)) }
	stat("Availability", "percentunit", metricAvailability)
	stat("Uptime", "percentunit", metricUptime)
	stat("Downtime", "s", metricDowntime)
	stat("Slowest recovery", "s", metricRecovery)
	stat("Budget spent", "percentunit", metricSpentRatio)
	stat("Workers ready", "none", metricWorkers)
	b.row()
	b.series("Requests per second", "reqps", []query{{"sum by (run, outcome) (rate(" + selected(metricRequests.name) + "[$__rate_interval]))", "{{outcome}}, run {{run}}"}})
	b.series("Failures per second, by cause", "reqps", []query{{"sum by (run, cause) (rate(" + selected(metricFailures.name) + "[$__rate_interval]))", "{{cause}}, run {{run}}"}})
	b.series("Latency so far", "s", []query{{selected(metricLatency.name, `quantile=~"0.5|0.99|1"`), "{{stream}} {{quantile}}, run {{run}}"}})
	b.series("Availability and uptime so far", "percentunit", []query{
		{selected(metricAvailability.name), "availability, run {{run}}"}, {selected(metricUptime.name), "uptime, run {{run}}"},
	})
	b.series("Failed probes per second", "cps", []query{{"rate(" + selected(metricProbes.name, `outcome="failed"`) + "[$__rate_interval])", "{{connections}}, run {{run}}"}})
	b.series("Injected faults", "none", []query{{selected(metricFaults.name), "{{fault}} {{state}}, run {{run}}"}})
	b.series("Workers ready", "none", []query{{selected(metricWorkers.name), "run {{run}}"}})
	b.series("Objectives met", "bool_yes_no", []query{{selected(metricObjective.name), "{{objective}}, run {{run}}"}})
	return writeJSON(w, map[string]any{
		"title": "hachaos", "uid": "hachaos", "tags": []string{"hachaos", "chaos", "availability"},
		"schemaVersion": 39, "version": 1, "editable": true, "refresh": "5s",
		"time":   map[string]any{"from": "now-15m", "to": "now"},
		"panels": b.panels,
		"annotations": map[string]any{"list": []any{map[string]any{
			"name": "Faults", "enable": true, "iconColor": "orange", "datasource": dashboardSource,
			"expr": "changes(" + selected(metricFaults.name) + "[$__interval]) > 0", "titleFormat": "{{fault}}", "step": "5s",
		}}},
		"templating": map[string]any{"list": []any{
			map[string]any{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
			map[string]any{
				"name": "scenario", "label": "Scenario", "type": "query", "datasource": dashboardSource, "refresh": 2,
				"query": "label_values(" + metricInfo.name + ", scenario)", "includeAll": true, "multi": true,
				"current": map[string]any{"text": "All", "value": "$__all"},
			},
		}},
	})
}

var dashboardSource = map[string]any{"type": "prometheus", "uid": "${source}"}

// selected is the series of the chosen scenarios, with further matchers.
func selected(name string, matchers ...string) string {
	s := name + `{scenario=~"$scenario"`
	for _, m := range matchers {
		s += "," + m
	}
	return s + "}"
}

type query struct{ expr, legend string }

// dashboardBuilder lays panels out from left to right on a grid of 24 columns.
type dashboardBuilder struct {
	panels     []any
	x, y, rows int // where the next panel goes, and how high this row is
}

func (b *dashboardBuilder) stat(title, unit, expr string) {
	b.add("stat", title, unit, 4, 4, []query{{expr, "run {{run}}"}}, map[string]any{"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}}})
}

func (b *dashboardBuilder) series(title, unit string, queries []query) {
	b.add("timeseries", title, unit, 12, 8, queries, map[string]any{"legend": map[string]any{"displayMode": "list", "placement": "bottom"}, "tooltip": map[string]any{"mode": "multi"}})
}

// row ends the row of panels.
func (b *dashboardBuilder) row() {
	b.x, b.y, b.rows = 0, b.y+b.rows, 0
}

func (b *dashboardBuilder) add(kind, title, unit string, width, height int, queries []query, options map[string]any) {
	if b.x+width > 24 {
		b.row()
	}
	targets := []any{}
	for i, q := range queries {
		targets = append(targets, map[string]any{"refId": string(rune('A' + i)), "expr": q.expr, "legendFormat": q.legend, "datasource": dashboardSource})
	}
	b.panels = append(b.panels, map[string]any{
		"id": len(b.panels) + 1, "type": kind, "title": title, "datasource": dashboardSource, "targets": targets, "options": options,
		"gridPos":     map[string]any{"x": b.x, "y": b.y, "w": width, "h": height},
		"fieldConfig": map[string]any{"defaults": map[string]any{"unit": unit, "min": 0}, "overrides": []any{}},
	})
	b.x, b.rows = b.x+width, max(b.rows, height)
}

package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
)

// maxToldEvents is how many kinds of events of dependencies and breakers a page
// or a comment shows; the JSON has all of them.
const maxToldEvents = 40

// dependencyText says how each dependency was provided: "cache: redis-server
// 7.0.15 (local)".
func dependencyText(list []Dependency) string {
	texts := make([]string, len(list))
	for i, d := range list {
		server := clean(d.Server)
		if server == "" {
			server = clean(d.Kind)
		}
		texts[i] = fmt.Sprintf("%s: %s (%s)", clean(d.Name), server, providedText(d))
	}
	return strings.Join(texts, ", ")
}

func providedText(d Dependency) string {
	parts := []string{clean(d.Mode)}
	if d.Topology != "" && d.Topology != "single" {
		parts = append(parts, clean(d.Topology))
	}
	if d.Replicas > 0 {
		parts = append(parts, countOf(int64(d.Replicas), "replica"))
	}
	if d.Replication != "" {
		parts = append(parts, clean(d.Replication))
	}
	return strings.Join(parts, ", ")
}

func dependencyRows(r *Report) [][]string {
	var rows [][]string
	for _, d := range r.Dependencies {
		rows = append(rows, []string{clean(d.Name), clean(d.Kind), providedText(d), clean(d.Server), clean(d.URL)})
	}
	return rows
}

// proxies shows what passed the proxies that a fault was on: that it really
// struck something.
func (t *text) proxies(r *Report) {
	label := "PROXIES"
	for _, p := range r.Proxies {
		if len(p.Faults) == 0 {
			continue
		}
		t.block(label, "", fmt.Sprintf("%s: %s, %s there and %s back; %s", clean(p.Name), countOf(p.Connections, "connection"),
			units.FormatBytes(p.BytesUpstream), units.FormatBytes(p.BytesDownstream), proxyFaults(p)))
		label = ""
	}
}

// proxyFaults says what each fault did at a proxy; both directions of one are
// one.
func proxyFaults(p Proxy) string {
	var texts, ids []string
	acted, connections := map[string]int64{}, map[string]int64{}
	for _, f := range p.Faults {
		if !slices.Contains(ids, f.Fault) {
			ids = append(ids, f.Fault)
		}
		acted[f.Fault] += f.Actions
		connections[f.Fault] = max(connections[f.Fault], f.Connections)
	}
	for _, id := range ids {
		what := countOf(connections[id], "connection")
		if acted[id] > connections[id] {
			what = fmt.Sprintf("%s on %s", times(int(acted[id])), what)
		} else {
			what = "on " + what
		}
		texts = append(texts, clean(id)+" acted "+what)
	}
	return strings.Join(texts, ", ")
}

// ofTarget are the sources of events that the target's own processes make.
var ofTarget = []string{"cluster", "single", "command"}

// toldEvents returns the events of dependencies and those that processes told.
func toldEvents(r *Report) []Event {
	return slices.DeleteFunc(slices.Clone(r.Events), func(e Event) bool { return !e.told() })
}

// around adds to a comment what passed the proxies that a fault was on, and what
// happened to dependencies and breakers.
func (m *markdown) around(r *Report) {
	rows := false
	for _, p := range r.Proxies {
		if len(p.Faults) == 0 {
			continue
		}
		if !rows {
			m.row("Proxy before", "Connections", "To it", "From it", "What faults did")
			m.row(":--", "--:", "--:", "--:", ":--")
		}
		rows = true
		m.row(mdCode(p.Name), units.FormatCount(p.Connections), units.FormatBytes(p.BytesUpstream), units.FormatBytes(p.BytesDownstream), mdText(truncate(proxyFaults(p), 200)))
	}
	if rows {
		m.linef("")
	}
	groups := groupEvents(toldEvents(r))
	if len(groups) == 0 {
		return
	}
	m.row("First at", "Times", "Source", "What happened")
	m.row("--:", "--:", ":--", ":--")
	for _, g := range groups[:min(len(groups), maxToldEvents)] {
		m.row(at(g.first.AtS), units.FormatCount(int64(g.n)), mdCode(g.first.Source), mdText(truncate(g.what(), 200)))
	}
	m.linef("")
	if rest := len(groups) - maxToldEvents; rest > 0 {
		m.linef("… and %s more, all of them in the JSON report.\n", countOf(int64(rest), "kind"))
	}
}

// struckNothing tells of network faults on proxies that no connection ever
// passed: what they are to show was not tried.
func struckNothing(run *Run) []string {
	var texts []string
	for _, e := range run.Faults {
		passed, proxies := int64(0), []string{}
		for _, p := range run.Proxies {
			if slices.ContainsFunc(p.Faults, func(f ProxyFault) bool { return f.Fault == e.ID }) {
				passed += p.Connections
				proxies = append(proxies, p.Name)
			}
		}
		if len(proxies) > 0 && passed == 0 {
			texts = append(texts, fmt.Sprintf("fault %s struck nothing: no connection ever passed proxy %s", e.ID, strings.Join(proxies, ", ")))
		}
	}
	return texts
}

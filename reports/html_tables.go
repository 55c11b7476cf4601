package reports

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/hachaos/hachaos/reports/units"
)

// htmlTable is a table of texts. More says what was left out, if anything.
type htmlTable struct {
	Title string
	Head  []htmlColumn
	Rows  [][]htmlCell
	More  string
}

type htmlColumn struct {
	Name   string
	Number bool // aligned to the right
}

type htmlCell struct{ Text, Class string }

// What a page shows of long lists; the JSON has all of it.
const (
	maxHTMLFaults  = 500
	maxHTMLOutages = 200
	maxHTMLEvents  = 500
)

// newHTMLTable makes a table. kinds has a letter for each column: n for numbers,
// t for long texts, l for anything else.
func newHTMLTable(title, kinds string, head []string, rows [][]string) htmlTable {
	t := htmlTable{Title: title}
	class := map[byte]string{'n': "n", 't': "text"}
	for i, name := range head {
		t.Head = append(t.Head, htmlColumn{name, kinds[i] == 'n'})
	}
	for _, row := range rows {
		cells := make([]htmlCell, len(row))
		for i, text := range row {
			cells[i] = htmlCell{text, class[kinds[i]]}
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func leftOut(n int, noun string) string {
	if n <= 0 {
		return ""
	}
	return "and " + countOf(int64(n), noun) + " more, all of them in the JSON report"
}

func faultTable(r *Report) htmlTable {
	var rows [][]string
	shown := r.Faults[:min(len(r.Faults), maxHTMLFaults)]
	for i := range shown {
		f := &shown[i]
		back := "–"
		if f.State == "done" {
			back = backText(f, r)
		}
		rows = append(rows, []string{clean(f.ID), at(f.StartS), faultDetail(f), units.FormatCount(f.FailedRequests), units.FormatCount(f.RetriedRequests), back})
	}
	t := newHTMLTable("Faults", "lntnnl", []string{"Fault", "At", "What", "Lost", "Retried", "Recovery"}, rows)
	t.More = leftOut(len(r.Faults)-len(shown), "fault")
	if s := unexplainedText(r); s != "" {
		t.More = s + ". " + t.More
	}
	return t
}

func outageTable(r *Report) *htmlTable {
	if len(r.Availability.Outages) == 0 {
		return nil
	}
	shown := r.Availability.Outages[:min(len(r.Availability.Outages), maxHTMLOutages)]
	var rows [][]string
	for _, o := range shown {
		end, because := "to the end", listed(cleanAll(o.Faults), 3)
		if o.EndS != nil {
			end = at(*o.EndS)
		}
		if because == "" {
			because = "no fault"
		}
		rows = append(rows, []string{at(o.StartS), end, formatSeconds(o.LengthS), formatSeconds(o.DownS), units.FormatPercent(o.FailedShare), because})
	}
	t := newHTMLTable("Outages", "nnnnnl", []string{"Outage from", "To", "Length", "Down", "Probes failed", "Because of"}, rows)
	t.More = leftOut(len(r.Availability.Outages)-len(shown), "outage")
	if beganBefore(r) {
		t.More = "A probe counts from its send: one that a fault caught on its way lets an outage begin a little before it. " + t.More
	}
	return &t
}

// beganBefore tells whether an outage began before the faults it is put down to.
func beganBefore(r *Report) bool {
	return slices.ContainsFunc(r.Availability.Outages, func(o Outage) bool {
		return len(o.Faults) > 0 && !slices.ContainsFunc(r.Faults, func(f Fault) bool {
			return slices.Contains(o.Faults, f.ID) && f.StartS <= o.StartS
		})
	})
}

func htmlTables(r *Report) []htmlTable {
	tables := []htmlTable{streamTable(r), causeTable(r), proxyTable(r), toldTable(r), practiceTable(r)}
	return slices.DeleteFunc(tables, func(t htmlTable) bool { return len(t.Rows) == 0 })
}

// proxyTable has a row for each chaos proxy, and one for each fault on it.
func proxyTable(r *Report) htmlTable {
	var rows [][]string
	for _, p := range r.Proxies {
		did := "no fault was on it"
		if len(p.Faults) > 0 {
			did = proxyFaults(p)
		}
		rows = append(rows, []string{clean(p.Name), units.FormatCount(p.Connections), units.FormatBytes(p.BytesUpstream), units.FormatBytes(p.BytesDownstream), did})
	}
	return newHTMLTable("What passed the chaos proxies", "lnnnt", []string{"Before", "Connections", "To it", "From it", "What faults did"}, rows)
}

// toldTable lists what happened around the target: to its dependencies, and in
// its breakers.
func toldTable(r *Report) htmlTable {
	var rows [][]string
	groups := groupEvents(toldEvents(r))
	shown := groups[:min(len(groups), maxToldEvents)]
	for _, g := range shown {
		rows = append(rows, []string{at(g.first.AtS), units.FormatCount(int64(g.n)), clean(g.first.Source), g.what()})
	}
	t := newHTMLTable("What dependencies and breakers did", "nnlt", []string{"First at", "Times", "Source", "What"}, rows)
	t.More = leftOut(len(groups)-len(shown), "kind")
	return t
}

func streamTable(r *Report) htmlTable {
	var rows [][]string
	for _, l := range r.Load {
		load := countOf(int64(l.Concurrency), "client")
		if l.Model == "open" {
			load = units.FormatRate(l.Rate)
		}
		row := []string{
			clean(l.Name), load, units.FormatCount(l.Requests.OK + l.Requests.Failed), units.FormatCount(l.Requests.Failed),
			units.FormatCount(l.Requests.Retried), units.FormatCount(l.Requests.Degraded), percentOr(l.Availability),
		}
		latencies := []string{"unknown", "unknown", "unknown"} // more of them stand in the distribution
		if v := l.LatencyMS; v != nil {
			latencies = []string{ms(v.P50), ms(v.P99), ms(v.Max)}
		}
		rate := "unknown"
		if l.ThroughputRPS != nil {
			rate = units.FormatRate(*l.ThroughputRPS)
		}
		gap := "unknown"
		if l.LongestGapS != nil {
			gap = formatSeconds(*l.LongestGapS)
		}
		rows = append(rows, append(append(row, latencies...), gap, rate))
	}
	return newHTMLTable("Load", "lnnnnnnnnnnn", []string{"Stream", "Load", "Requests", "Failed", "Retried", "Degraded", "Availability", "p50", "p99", "max", "Longest gap", "Good"}, rows)
}

// causeTable has a row for each cause of failure, with its first example.
func causeTable(r *Report) htmlTable {
	counts, examples := map[string]int64{}, map[string]string{}
	add := func(failures map[string]int64, texts map[string]string, of string) {
		for cause, n := range failures {
			counts[of+cause] += n
			if examples[of+cause] == "" {
				examples[of+cause] = texts[cause]
			}
		}
	}
	for _, l := range r.Load {
		add(l.Failures, l.Examples, "request: ")
	}
	for _, p := range r.Probes {
		add(p.Failures, p.Examples, "probe: ")
	}
	causes := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var rows [][]string
	for _, cause := range causes {
		if counts[cause] > 0 {
			rows = append(rows, []string{clean(cause), units.FormatCount(counts[cause]), truncate(clean(examples[cause]), 300)})
		}
	}
	return newHTMLTable("Why requests and probes failed", "lnt", []string{"Cause", "Count", "First example"}, rows)
}

// htmlAppendix is what only some readers want.
func htmlAppendix(r *Report) []htmlTable {
	var events, probes, resources, statuses [][]string
	shown := r.Events[:min(len(r.Events), maxHTMLEvents)]
	for _, e := range shown {
		events = append(events, []string{at(e.AtS), clean(e.Source), clean(e.What)})
	}
	for _, p := range r.Probes {
		lateness := "unknown"
		if p.LatenessP99MS != nil {
			lateness = ms(*p.LatenessP99MS)
		}
		probes = append(probes, []string{
			clean(p.Connections), ms(p.EveryMS), units.FormatCount(p.Sent), units.FormatCount(p.Failed),
			formatSeconds(p.UnobservedS), percentOr(p.Uptime), lateness, clean(p.Priority),
		})
	}
	for _, p := range r.Resources {
		served := "–"
		if p.Served != nil {
			served = units.FormatCount(*p.Served)
		}
		resources = append(resources, []string{clean(p.Process), strconv.Itoa(p.PID), formatSeconds(p.CPUS), units.FormatBytes(p.RSSMaxBytes), served})
	}
	for _, l := range r.Load {
		for _, status := range slices.Sorted(maps.Keys(l.Statuses)) {
			statuses = append(statuses, []string{clean(l.Name), clean(status), units.FormatCount(l.Statuses[status])})
		}
	}
	list := []htmlTable{
		newHTMLTable("Dependencies", "lllll", []string{"Name", "Kind", "Provided", "Server", "Address"}, dependencyRows(r)),
		newHTMLTable("Events of the target", "nlt", []string{"At", "Source", "What"}, events),
		newHTMLTable("Status codes", "lln", []string{"Stream", "Status", "Answers"}, statuses),
		newHTMLTable("The prober", "lnnnnnnl", []string{"Connections", "Every", "Sent", "Failed", "Unobserved", "Uptime", "Late p99", "Priority"}, probes),
		newHTMLTable("What the processes used", "lnnnn", []string{"Process", "Pid", "CPU", "Memory, at most", "Served"}, resources),
		newHTMLTable("How it was measured", "lt", []string{"What", "Value"}, howMeasured(r)),
	}
	list[1].More = leftOut(len(r.Events)-len(shown), "event")
	return slices.DeleteFunc(list, func(t htmlTable) bool { return len(t.Rows) == 0 })
}

// howMeasured is all that is left: where and how the run was made.
func howMeasured(r *Report) [][]string {
	a, e := &r.Availability, &r.Environment
	seconds := func(v *float64) string {
		if v == nil {
			return "unknown"
		}
		return formatSeconds(*v)
	}
	interval := func(figure *float64, v *[2]float64) string {
		if figure == nil || v == nil {
			return "unknown"
		}
		return units.FormatInterval(*figure, *v)
	}
	nines, resolution := "unknown", "unknown"
	if a.Nines != nil {
		nines = strconv.FormatFloat(*a.Nines, 'f', 2, 64)
	} else if a.Uptime != nil && *a.Uptime == 1 {
		nines = "no limit was seen: nothing failed"
	}
	if a.ResolutionMS != nil {
		resolution = ms(*a.ResolutionMS)
	}
	rows := [][]string{
		{"scenario file", clean(r.Scenario.File)}, {"SHA-256 of the scenario", clean(r.Scenario.SHA256)},
		{"seed", strconv.FormatUint(r.Scenario.Seed, 10)}, {"target", clean(r.Target.URL)},
		{"duration of the load", formatSeconds(r.DurationS)},
		{"shortest outage that can be seen", resolution},
		{"mean time to repair", seconds(a.MTTRS)}, {"mean time between failures", seconds(a.MTBFS)}, {"nines of uptime", nines},
		{"longest time without an answer", seconds(a.LongestStallS)},
		{"95 % interval of availability", interval(a.Availability, a.AvailabilityCI95)}, {"95 % interval of uptime", interval(a.Uptime, a.UptimeCI95)},
	}
	if a.CI95Reason != "" {
		rows = append(rows, []string{"why there is no interval", clean(a.CI95Reason)})
	}
	for _, l := range r.Load {
		lag := "unknown"
		if l.Generator.LagP99MS != nil {
			lag = ms(*l.Generator.LagP99MS)
		} else if l.Model == "closed" {
			lag = "none: a closed stream has no schedule"
		}
		rows = append(rows, []string{"the generator's lag p99, " + clean(l.Name), lag})
	}
	return append(rows, []string{"machine", clean(e.OS) + "/" + clean(e.Arch) + ", " + countOf(int64(e.CPUs), "CPU") + ", kernel " + clean(e.Kernel) + ", " + clean(e.Go)})
}

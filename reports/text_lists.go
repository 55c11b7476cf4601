package reports

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// What a text shows of long lists; the JSON has all of it.
const (
	maxFaultLines  = 40
	maxOutageLines = 10
	maxEventLines  = 6
)

func (t *text) faults(r *Report) {
	shown := r.Faults
	if len(shown) > maxFaultLines {
		shown = shown[:maxFaultLines]
	}
	rows := make([]faultRow, len(shown))
	for i := range shown {
		rows[i] = faultRow{&shown[i], faultDetail(&shown[i]), lostText(&shown[i]), backText(&shown[i], r)}
	}
	c := columnsOf(rows)
	broken := false
	if t.width > 0 && c.total() > t.width {
		// Without pids, which the JSON has, or else on two lines.
		short := slices.Clone(rows)
		for i := range short {
			short[i].detail = pids.ReplaceAllString(short[i].detail, "")
		}
		if sc := columnsOf(short); sc.total() <= t.width {
			rows, c = short, sc
		} else {
			broken = true
		}
	}
	for _, row := range rows {
		start := t.faultStart(row.Fault, c.id)
		indent := strings.Repeat(" ", width(start))
		switch {
		case row.State != string(chaos.Done):
			t.linef("%s%s", start, t.wrap(row.detail, len(indent), len(indent)))
		case broken:
			t.linef("%s%s", start, t.wrap(row.detail, len(indent), len(indent)))
			t.linef("%s%s   %s", indent, pad(row.lost, c.lost), row.back)
		default:
			t.linef("%s%s   %s   %s", start, pad(row.detail, c.detail), pad(row.lost, c.lost), row.back)
		}
	}
	if rest := len(r.Faults) - len(shown); rest > 0 {
		t.linef("         and %s more, all of them in the JSON report", countOf(int64(rest), "fault"))
	}
}

type faultRow struct {
	*Fault
	detail, lost, back string
}

// faultColumns are the widths of the columns of fault lines.
type faultColumns struct{ id, detail, lost, back int }

func columnsOf(rows []faultRow) (c faultColumns) {
	for _, row := range rows {
		c.id = max(c.id, width(clean(row.ID)))
		if row.State == string(chaos.Done) {
			c.detail, c.lost, c.back = max(c.detail, width(row.detail)), max(c.lost, width(row.lost)), max(c.back, width(row.back))
		}
	}
	return c
}

func (c faultColumns) total() int { return 9 + c.id + 3 + c.detail + 3 + c.lost + 3 + c.back }

var pids = regexp.MustCompile(` \(pid \d+\)`)

// faultStart is the first two columns of a fault's line: when, and its id.
func (t *text) faultStart(f *Fault, id int) string {
	return fmt.Sprintf("%7s  %s   ", strconv.FormatFloat(f.StartS, 'f', 1, 64)+"s", t.style(bold, pad(clean(f.ID), id)))
}

func faultDetail(f *Fault) string {
	detail := clean(f.Detail)
	switch chaos.State(f.State) {
	case chaos.Skipped, chaos.Failed:
		if detail != "" {
			detail += " "
		}
		detail += f.State
		if f.Error != "" {
			detail += ": " + clean(f.Error)
		}
	}
	return detail
}

func lostText(f *Fault) string {
	return countOf(f.FailedRequests, "request") + " lost, " + units.FormatCount(f.RetriedRequests) + " retried"
}

func backText(f *Fault, r *Report) string {
	lasting := f.EndS > f.StartS
	switch {
	case r.Availability.Uptime == nil:
		return "recovery unknown"
	case f.RecoveryS == nil:
		return "not back"
	case *f.RecoveryS > 0 && lasting:
		return "back " + units.FormatDuration(duration(*f.RecoveryS)) + " after its end"
	case *f.RecoveryS > 0:
		return "back in " + units.FormatDuration(duration(*f.RecoveryS))
	}
	for _, o := range r.Availability.Outages {
		if slices.Contains(o.Faults, f.ID) {
			return "back at its end"
		}
	}
	return "never away"
}

func (t *text) outages(r *Report) {
	if len(r.Availability.Outages) == 0 {
		return
	}
	// The longest first are the ones to read; the list stays in order of time.
	shown := slices.Clone(r.Availability.Outages)
	slices.SortStableFunc(shown, func(a, b Outage) int { return cmp.Compare(b.LengthS, a.LengthS) })
	shown = shown[:min(len(shown), maxOutageLines)]
	slices.SortFunc(shown, func(a, b Outage) int { return cmp.Compare(a.StartS, b.StartS) })
	rows := make([][]string, 0, len(shown))
	for _, o := range shown {
		end := "to the end"
		if o.EndS != nil {
			end = at(*o.EndS)
		}
		faults := make([]string, len(o.Faults))
		for i, id := range o.Faults {
			faults[i] = clean(id)
		}
		because := strings.Join(faults[:min(len(faults), 3)], ", ")
		if n := len(faults) - 3; n > 0 {
			because += fmt.Sprintf(" and %d more", n)
		}
		if because == "" {
			because = "no fault"
		}
		rows = append(rows, []string{
			at(o.StartS), end, units.FormatDuration(duration(o.LengthS)), units.FormatDuration(duration(o.DownS)),
			units.FormatPercent(o.FailedShare), because,
		})
	}
	t.WriteString("\n")
	t.table([]string{"OUTAGE FROM", "TO", "LENGTH", "DOWN", "FAILED", "BECAUSE OF"}, "rrrrrl", rows)
	if rest := len(r.Availability.Outages) - len(shown); rest > 0 {
		t.linef(" and %s more, none longer, all of them in the JSON report", countOf(int64(rest), "outage"))
	}
}

func (t *text) streams(loads []Load) {
	rows := make([][]string, 0, len(loads))
	for _, l := range loads {
		load := countOf(int64(l.Concurrency), "client")
		if l.Model == "open" {
			load = units.FormatRate(l.Rate)
		}
		row := []string{clean(l.Name), load, units.FormatCount(l.Requests.OK + l.Requests.Failed),
			units.FormatCount(l.Requests.Failed), units.FormatCount(l.Requests.Retried), percentOr(l.Availability)}
		if q := l.LatencyMS; q != nil {
			row = append(row, ms(q.P50), ms(q.P99), ms(q.Max))
		} else {
			row = append(row, "–", "–", "–")
		}
		rate := "–"
		if l.ThroughputRPS != nil {
			rate = units.FormatRate(*l.ThroughputRPS)
		}
		rows = append(rows, append(row, rate))
	}
	t.WriteString("\n")
	t.table([]string{"STREAM", "LOAD", "REQUESTS", "FAILED", "RETRIED", "AVAILABILITY", "P50", "P99", "MAX", "GOOD"}, "lrrrrrrrrr", rows)
	t.WriteString("\n")
}

// events sums up what happened to the target by itself: events that name a
// process which a fault hit are the fault's, not the target's.
func (t *text) events(r *Report) {
	var groups []*eventGroup
	for _, e := range r.Events {
		if causedByFault(e, r.Faults) {
			continue
		}
		what := pids.ReplaceAllString(numbered.ReplaceAllString(e.What, "$1"), "")
		i := slices.IndexFunc(groups, func(g *eventGroup) bool { return g.what == what })
		if i < 0 {
			groups = append(groups, &eventGroup{what: what, first: e})
			i = len(groups) - 1
		}
		groups[i].n++
	}
	shown := groups[:min(len(groups), maxEventLines)]
	for i, g := range shown {
		label := ""
		if i == 0 {
			label = "EVENTS"
		}
		t.block(label, "", g.text())
	}
	if rest := len(groups) - len(shown); rest > 0 {
		t.block("", "", fmt.Sprintf("and %s more, all of them in the JSON report", countOf(int64(rest), "kind")))
	}
}

type eventGroup struct {
	what  string // without numbers of workers and processes
	first Event
	n     int
}

// numbered is what tells one worker's event from another's, besides the pid.
var numbered = regexp.MustCompile(`\b(worker|process|instance) #?\d+\b`)

func (g *eventGroup) text() string {
	if g.n == 1 {
		return fmt.Sprintf("%s (at %s)", clean(g.first.What), at(g.first.AtS))
	}
	return fmt.Sprintf("%d × %s (first at %s)", g.n, clean(g.what), at(g.first.AtS))
}

var pidIn = regexp.MustCompile(`\bpid (\d+)\b`)

func causedByFault(e Event, faults []Fault) bool {
	m := pidIn.FindStringSubmatch(e.What)
	if m == nil {
		return false
	}
	for _, f := range faults {
		for _, v := range f.Victims {
			if f.State == string(chaos.Done) && strconv.Itoa(v.PID) == m[1] {
				return true
			}
		}
	}
	return false
}

func (t *text) summary(runs []*Report) {
	rows := make([][]string, 0, len(runs))
	verdicts := map[Verdict]int{}
	for _, r := range runs {
		down := "unknown"
		if r.Availability.DowntimeS != nil {
			down = units.FormatDuration(duration(*r.Availability.DowntimeS))
		}
		rows = append(rows, []string{clean(r.Scenario.Name), t.verdictWord(r.Verdict), percentOr(r.Availability.Availability), percentOr(r.Availability.Uptime), down})
		verdicts[r.Verdict]++
	}
	t.WriteString("\n")
	t.table([]string{"RUN", "VERDICT", "AVAILABILITY", "UPTIME", "DOWNTIME"}, "llrrr", rows)
	var counts []string
	for _, v := range []Verdict{Pass, Fail, Inconclusive, Error, Aborted, Interrupted} {
		if n := verdicts[v]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, v))
		}
	}
	t.linef("\n%s: %s", countOf(int64(len(runs)), "run"), strings.Join(counts, ", "))
}

// truncate cuts s to so many columns, with an ellipsis where it did.
func truncate(s string, columns int) string {
	if width(s) <= columns {
		return s
	}
	return twwidth.Truncate(s, columns, "…")
}

// causeList is "reset 3, closed 1": the most frequent first.
func causeList(causes map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(causes), func(a, b string) int {
		return cmp.Or(cmp.Compare(causes[b], causes[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = clean(name) + " " + units.FormatCount(causes[name])
	}
	return strings.Join(parts, ", ")
}

// firstFailures is the first failure of each cause, in words; three at most.
func firstFailures(r *Report) []string {
	var lines []string
	seen := map[string]bool{}
	for _, l := range r.Load {
		for _, cause := range slices.Sorted(maps.Keys(l.Examples)) {
			if !seen[cause] && len(lines) < 3 {
				lines = append(lines, "first "+clean(cause)+": "+truncate(clean(l.Examples[cause]), 200))
			}
			seen[cause] = true
		}
	}
	return lines
}

func percentOr(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return units.FormatPercent(*v)
}

func ms(v float64) string { return units.FormatDuration(duration(v / 1e3)) }

// at is a moment of the run: "3.05 s".
func at(s float64) string { return strconv.FormatFloat(s, 'f', 2, 64) + " s" }

func verb(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func windowText(s float64) string {
	d := duration(s)
	if d > 0 && d%day == 0 {
		return countOf(int64(d/day), "day")
	}
	return units.FormatDuration(d)
}

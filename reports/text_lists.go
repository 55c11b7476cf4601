package reports

import (
	"cmp"
	"fmt"
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
	maxOutageLines = 10
	maxEventLines  = 8
)

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
	t.gap()
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
		gap, rate := "–", "–"
		if l.LongestGapS != nil {
			gap = formatSeconds(*l.LongestGapS)
		}
		if l.ThroughputRPS != nil {
			rate = units.FormatRate(*l.ThroughputRPS)
		}
		rows = append(rows, append(row, gap, rate))
	}
	header := []string{"STREAM", "LOAD", "REQUESTS", "FAILED", "RETRIED", "AVAILABILITY", "P50", "P99", "MAX", "LONGEST GAP", "GOOD"}
	t.gap()
	if t.width > 0 && tableWidth(header, rows) > t.width {
		const counts = 6 // columns, the name among them
		split := func(row []string) (left, right []string) {
			return row[:counts], append([]string{row[0]}, row[counts:]...)
		}
		left, right := make([][]string, len(rows)), make([][]string, len(rows))
		for i, row := range rows {
			left[i], right[i] = split(row)
		}
		head, tail := split(header)
		t.table(head, "lrrrrr", left)
		t.gap()
		header, rows = tail, right
	}
	t.table(header, "lrrrrrrrrrr"[:len(header)], rows)
	t.gap()
}

// events sums up what happened to the target by itself. Left out are events of a
// process that a fault had hit, which are the fault's, and those that say that a
// process came up, which show in the recovery.
func (t *text) events(r *Report) {
	groups := groupEvents(slices.DeleteFunc(slices.Clone(r.Events), func(e Event) bool {
		return cameUp.MatchString(e.What) || causedByFault(e, r.Faults)
	}))
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

var (
	cameUp = regexp.MustCompile(`^(worker|process) \d+( \(pid \d+\))? (is ready|listens|has started)[^,;]*$`)
	pidIn  = regexp.MustCompile(`\b(?:pid|process) (\d+)\b`)
)

func causedByFault(e Event, faults []Fault) bool {
	m := pidIn.FindStringSubmatch(e.What)
	if m == nil {
		return false
	}
	for _, f := range faults {
		if f.State != string(chaos.Done) || e.AtS < f.StartS {
			continue
		}
		for _, v := range f.Victims {
			if strconv.Itoa(v.PID) == m[1] {
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
		rows = append(rows, []string{clean(sideName(r)), t.verdictWord(r.Verdict), percentOr(r.Availability.Availability), percentOr(r.Availability.Uptime), down})
		verdicts[r.Verdict]++
	}
	t.gap()
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

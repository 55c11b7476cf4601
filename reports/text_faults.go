package reports

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports/units"
)

// maxFaultLines is how many faults a text shows; the JSON has all of them.
const maxFaultLines = 40

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
	case chaos.Done:
		if f.EndS > f.StartS {
			detail += " for " + units.FormatDuration(duration(f.EndS-f.StartS))
		}
		if f.VictimsEnded {
			detail += ", which then ended"
		}
	}
	return detail
}

func lostText(f *Fault) string {
	return countOf(f.FailedRequests, "request") + " lost, " + units.FormatCount(f.RetriedRequests) + " retried"
}

func backText(f *Fault, r *Report) string {
	switch {
	case r.Availability.Uptime == nil:
		return "recovery unknown"
	case f.RecoveryS == nil:
		return "not back"
	case *f.RecoveryS > 0 && f.Lasting && !f.VictimsEnded:
		return "back " + units.FormatDuration(duration(*f.RecoveryS)) + " after its end"
	case *f.RecoveryS > 0:
		return "back in " + units.FormatDuration(duration(*f.RecoveryS))
	}
	for _, o := range r.Availability.Outages {
		if slices.Contains(o.Faults, f.ID) {
			if f.Lasting && !f.VictimsEnded {
				return "back at its end"
			}
			return "back at once"
		}
	}
	return "no outage"
}

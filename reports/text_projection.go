package reports

import (
	"fmt"

	"github.com/hachaos/hachaos/reports/units"
)

// projection writes the year that the run lets expect, so that each sentence can
// be followed from its figures.
func (t *text) projection(p *Projection) {
	if p == nil {
		return
	}
	if p.Availability == nil {
		t.block("PROJECTION", "unknown", p.Reason)
		return
	}
	line := "expected of a year with nothing but these faults"
	if p.AvailabilityCI95 == nil {
		line += "; no interval: " + clean(p.Reason)
	}
	t.block("PROJECTION", units.FormatPercent(*p.Availability), line)
	t.interval(p.Availability, p.AvailabilityCI95)
	for i := range p.Faults {
		f := &p.Faults[i]
		if *f.MeanLostS == 0 {
			t.block("", " ", fmt.Sprintf("%s: %s a year; the %d measured cost no probe", clean(f.Name), factor(f.PerYear), len(f.LostS)))
			continue
		}
		line := fmt.Sprintf("%s: %s a year × %s = %s", clean(f.Name), factor(f.PerYear),
			units.FormatDuration(duration(*f.MeanLostS)), units.FormatDuration(duration(*f.DowntimeS)))
		if f.BearablePerYear != nil {
			line += fmt.Sprintf("; %s bears %s a year", percent(*p.Objective), factor(*f.BearablePerYear))
		}
		t.block("", " ", line)
	}
	switch {
	case p.AllowedS == nil:
	case p.SpentRatio == nil:
		t.block("", " ", percent(*p.Objective)+" allows no downtime")
	default:
		share := units.FormatPercent(*p.SpentRatio) + " of"
		if *p.SpentRatio > 1 {
			share = factor(*p.SpentRatio) + " times"
		}
		t.block("", " ", fmt.Sprintf("that is %s the %s that %s allows a year", share, units.FormatDuration(duration(*p.AllowedS)), percent(*p.Objective)))
	}
}

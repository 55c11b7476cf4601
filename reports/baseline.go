package reports

import (
	"fmt"

	"github.com/hachaos/hachaos/reports/units"
)

// Warmup is what a stream counted in the warm-up, before any fault.
type Warmup struct {
	Stream     string
	OK, Failed int64
	Example    string // the first failure, in words
}

// CheckBaseline returns an error if the warm-up already misses an availability
// objective, on the run or on a stream: then a run would measure the service's
// own trouble, and no fault's. Of several missed it names the one that asks
// least. A warm-up without requests misses nothing.
func CheckBaseline(objectives []Objective, warmup []Warmup) error {
	var missed *Objective
	var seen Warmup
	for i, o := range objectives {
		if o.Metric != "availability" {
			continue
		}
		sum, scoped := Warmup{}, false
		for _, w := range warmup {
			if o.Scope != "" && o.Scope != w.Stream {
				continue
			}
			scoped = true
			sum.OK += w.OK
			sum.Failed += w.Failed
			if sum.Example == "" {
				sum.Example = w.Example
			}
		}
		if !scoped || sum.OK+sum.Failed == 0 || o.Holds(float64(sum.OK)/float64(sum.OK+sum.Failed)) {
			continue
		}
		if missed == nil || o.Value < missed.Value {
			missed, seen = &objectives[i], sum
		}
	}
	if missed == nil {
		return nil
	}
	all := seen.OK + seen.Failed
	example := ""
	if seen.Example != "" {
		example = " (" + seen.Example + ")"
	}
	return fmt.Errorf("the baseline is already bad: %s of %s failed in the warm-up%s, %s are good, but the objective is %s; no fault was injected (mend the target, or lower the objective)",
		units.FormatCount(seen.Failed), countOf(all, "request"), example, units.FormatPercent(float64(seen.OK)/float64(all)), missed.Expr)
}

package reports

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
)

// shares says who answered, where a proxy chose the worker: that it chose well
// is what such a run is about.
func (t *text) shares(r *Report) {
	if r.Target.Dispatch != "proxy" {
		return
	}
	label := "SHARES"
	for _, l := range r.Load {
		line := sharesText(l.Workers, r.Resources)
		if line == "" {
			continue
		}
		if len(r.Load) > 1 {
			line = clean(l.Name) + ": " + line
		}
		t.block(label, "", line)
		label = ""
	}
}

// sharesText names each worker with its share, all processes that it had
// together, also who answered nothing: "worker 1 100 % · worker 2 0 %".
func sharesText(answers map[string]int64, resources []Resource) string {
	bySlot, total := answersBySlot(answers, resources)
	if total == 0 {
		return ""
	}
	for _, p := range resources {
		if strings.HasPrefix(p.Process, "worker ") {
			bySlot[p.Process] += 0
		}
	}
	// "worker 10" comes after "worker 9".
	names := slices.SortedFunc(maps.Keys(bySlot), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = clean(name) + " " + units.FormatPercent(float64(bySlot[name])/float64(total))
	}
	return strings.Join(parts, " · ")
}

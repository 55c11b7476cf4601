package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// shares says who answered, where a proxy chose the worker: that it chose well
// is what such a run is about.
func (t *text) shares(r *Report) {
	if r.Target.Dispatch != "proxy" {
		return
	}
	slots := map[string]string{}
	for _, p := range r.Resources {
		slots[strconv.Itoa(p.PID)] = p.Process
	}
	label := "SHARES"
	for _, l := range r.Load {
		line := sharesText(l.Workers, slots)
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
// together: "worker 1 50.0 % · worker 2 50.0 %".
func sharesText(answers map[string]int64, slots map[string]string) string {
	total, bySlot := int64(0), map[string]int64{}
	for pid, n := range answers {
		if slot, ok := slots[pid]; ok {
			bySlot[slot] += n
			total += n
		}
	}
	var names []string
	for name := range bySlot {
		names = append(names, name)
	}
	// "worker 10" comes after "worker 9".
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%s %.1f %%", clean(name), 100*float64(bySlot[name])/float64(total))
	}
	return strings.Join(parts, " · ")
}

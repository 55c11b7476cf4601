package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/scenarios"
)

// plannedShot is a line of the schedule, as --dry-run --json prints it.
type plannedShot struct {
	Scenario string  `json:"scenario"`
	Seed     uint64  `json:"seed"`
	ID       string  `json:"id"`
	Kind     string  `json:"kind"`
	AtS      float64 `json:"at_s"`
	Workers  []int   `json:"workers"`         // slots; null if they are known only when it strikes
	Where    string  `json:"where,omitempty"` // the dependency, or the front; "" for the target's processes
}

// printSchedules prints what runs of the scenarios would inject, and when.
func printSchedules(w io.Writer, list []*scenarios.Scenario, asJSON bool) error {
	planned := []plannedShot{}
	var b strings.Builder
	for _, s := range list {
		shots, seed := scenarios.Dry(s)
		fmt.Fprintf(&b, "%s · seed %d · %s\n", s.Title(), seed, units.CountOf(int64(len(shots)), "fault"))
		for _, shot := range shots {
			p := plannedShot{s.Title(), seed, shot.ID(), shot.Fault.Kind(), shot.At.Seconds(), s.Victims(shot), shot.Fault.Where()}
			planned = append(planned, p)
			fmt.Fprintf(&b, "%8.3fs  %-16s %-8s %s\n", p.AtS, p.ID, p.Kind, cmp.Or(p.Where, victimWords(p.Workers)))
		}
	}
	if asJSON {
		return printJSON(w, planned)
	}
	_, err := io.WriteString(w, b.String())
	return printed(err)
}

func victimWords(slots []int) string {
	if slots == nil {
		return "chosen when it strikes"
	}
	words := make([]string, len(slots))
	for i, slot := range slots {
		words[i] = fmt.Sprintf("worker %d", slot)
	}
	return strings.Join(words, ", ")
}

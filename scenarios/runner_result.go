package scenarios

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets"
)

// result gathers what was measured so far. failure is what ended the run, nil
// if it goes on or went well.
func (r *run) result(failure error) reports.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := r.over
	if end == 0 {
		end = r.sendingUntil()
	}
	res := reports.Run{
		Scenario:    r.describeScenario(),
		Started:     r.started,
		Environment: environment(r.player.Version),
		Target:      r.describeTarget(),
		Faults:      slices.Clone(r.faults),
		Objectives:  r.scenario.SLO,
		Warnings:    slices.Clone(r.warnings),
		Blind:       r.blind,
		Secrets:     r.scenario.Secrets(),
		Resources:   resources(r.usages),

		Dependencies: r.describeDependencies(),
		Proxies:      slices.Clone(r.passed),
	}
	if b := r.scenario.Budget; b != nil {
		res.Budget = &reports.BudgetPolicy{Objective: float64(b.Objective), Window: b.Window.Std()}
	}
	for name, rate := range r.scenario.Rates {
		if res.Rates == nil {
			res.Rates = map[string]float64{}
		}
		res.Rates[name] = float64(rate)
	}
	var signal *SignalError
	var abort *abortError
	switch {
	case errors.As(failure, &signal):
		res.Interrupted, failure = signal.Signal, nil
	case errors.As(failure, &abort):
		res.Aborted, failure = abort.expr, nil
	case errors.Is(failure, context.Canceled):
		res.Interrupted, failure = "the caller", nil
	}
	// However a run ended: what it leaves broken is told.
	if failure = joined(failure, r.untidy); failure != nil {
		res.Failure = failure.Error()
	}
	if r.started.IsZero() {
		res.Started = time.Now()
		return res
	}
	if res.Duration = end.Sub(r.epoch); res.Duration <= 0 {
		res.Duration = 0
		return res
	}
	for _, g := range r.generators {
		res.Loads = append(res.Loads, g.Recording())
	}
	if r.prober != nil {
		res.Probes = r.prober.Recordings(r.epoch.Add(res.Duration))
	}
	res.Ready, res.Events = r.history(res.Duration)
	if r.told > maxTold+lastTold {
		res.Warnings = append(res.Warnings, fmt.Sprintf("processes told of %s events, of which the first %s and the last %s are kept",
			units.FormatCount(int64(r.told)), units.FormatCount(maxTold), units.FormatCount(lastTold)))
	}
	return res
}

// history turns the target's changes until end into the course of its ready
// workers, and all that happened into events of the report.
func (r *run) history(end time.Duration) ([]reports.ReadyCount, []reports.Event) {
	var ready []reports.ReadyCount
	var events []reports.Event
	changes := slices.Clone(r.changes)
	slices.SortStableFunc(changes, func(a, b targets.Change) int { return cmp.Compare(a.At, b.At) })
	for _, c := range changes {
		at := c.At.Sub(r.epoch)
		if at > end {
			break // the target was being stopped
		}
		ready = append(ready, reports.ReadyCount{At: at, Ready: c.Ready})
		if at >= 0 {
			events = append(events, reports.Event{AtS: at.Seconds(), Source: c.Source, What: c.What})
		}
	}
	for _, h := range slices.Concat(r.happened, r.lately[max(0, len(r.lately)-lastTold):]) {
		// What a process tells at its end counts too: what became of its writes, say.
		if at := h.at.Sub(r.epoch); at >= 0 && (at <= end || h.told) {
			events = append(events, reports.Event{AtS: at.Seconds(), Source: h.Source, What: h.What})
		}
	}
	slices.SortStableFunc(events, func(a, b reports.Event) int { return cmp.Compare(a.AtS, b.AtS) })
	return ready, events
}

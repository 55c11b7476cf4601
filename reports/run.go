package reports

import (
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

// Run is everything that was measured and seen in one run: what [Fold] makes a
// [Report] of.
type Run struct {
	Scenario    Scenario
	Started     time.Time     // wall clock at t = 0
	Duration    time.Duration // from t = 0 to the last stream's end of sending
	Environment Environment
	Target      Target

	Loads  []*loadgen.Recording
	Probes []*loadgen.ProbeRecording // "new" first; empty when the prober is off
	Faults []chaos.Event             // in order of Start
	Ready  []ReadyCount              // how the number of ready workers changed; nil if unknown
	Events []Event

	Resources []Resource

	Dependencies []Dependency
	Proxies      []Proxy

	Objectives []Objective
	Budget     *BudgetPolicy
	Rates      map[string]float64 // how often each fault is expected, per second

	// Blind says why the prober ended before the load did; "" if it did not.
	Blind string

	// What ended the run before its time. At most one is set.
	Aborted     string // the abort_if expression that struck
	Interrupted string // the signal's name
	Failure     string // why the run could not be done

	Warnings []string

	// Secrets are values that must not be read in the report: of ${env:}
	// templates, passwords. Every text in it goes through [Redact] with them.
	Secrets []string
}

// ReadyCount says how many workers (of command targets: processes) were ready
// from At on. The first one of a run lies at or before t = 0.
type ReadyCount struct {
	At    time.Duration
	Ready int
}

// BudgetPolicy says whose budget the report spends.
type BudgetPolicy struct {
	Objective float64       // 0…1, such as 0.999
	Window    time.Duration // such as 30 days
}

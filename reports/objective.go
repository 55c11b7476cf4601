package reports

import (
	"fmt"
	"math"
	"strings"
)

// Objective is one parsed objective: [SCOPE.]METRIC OP VALUE. Make one with
// [ParseObjective].
type Objective struct {
	Expr   string // as written
	Scope  string // "" for the run, else a stream's or a fault's name
	Metric string
	Op     string  // >= > <= < ==
	Value  float64 // in the metric's unit: ratio, count, per second, or seconds
	Unit   string  // "ratio", "count", "rate", "duration"
}

// Check returns an error if the objective's metric does not exist in the kind
// of scope that its name turned out to mean.
func (o Objective) Check(kind Scope) error {
	m, ok := metricNamed(o.Metric)
	if !ok || m.allows(kind) {
		return nil
	}
	return &ObjectiveError{
		Column:  1,
		Message: fmt.Sprintf("%s is not measured per %s, only per %s", o.Metric, kind, m.scopeList()),
	}
}

// Holds tells whether value, in the metric's unit, satisfies the objective. A
// value that differs from the limit only by the noise of binary fractions
// counts as equal to it; NaN satisfies nothing.
func (o Objective) Holds(value float64) bool {
	equal := math.Abs(value-o.Value) <= 1e-12*math.Max(math.Abs(value), math.Abs(o.Value))
	switch o.Op {
	case ">=":
		return equal || value > o.Value
	case ">":
		return !equal && value > o.Value
	case "<=":
		return equal || value < o.Value
	case "<":
		return !equal && value < o.Value
	case "==":
		return equal
	}
	return false
}

// Scope is the kind of thing that a metric is measured over.
type Scope string

const (
	ScopeRun    Scope = "run"
	ScopeStream Scope = "stream"
	ScopeFault  Scope = "fault"
)

// Metric is a figure that an objective can be put on.
type Metric struct {
	Name   string
	Unit   string // "ratio", "count", "rate", "duration"
	Scopes []Scope
	Text   string // what it is, in one line
}

// Metrics returns every metric, in the order in which documentation lists them.
func Metrics() []Metric {
	load := []Scope{ScopeRun, ScopeStream}
	all := []Scope{ScopeRun, ScopeStream, ScopeFault}
	run := []Scope{ScopeRun}
	return []Metric{
		{"availability", "ratio", load, "good requests ÷ all requests"},
		{"error_rate", "ratio", load, "failed requests ÷ all requests"},
		{"degraded_rate", "ratio", load, "good but degraded answers ÷ all requests"},
		{"failed", "count", all, "failed requests"},
		{"retried", "count", all, "requests sent once more after a kept connection closed"},
		{"throughput", "rate", load, "good requests per second"},
		{firstShare, "ratio", load, "share of the good answers that worker 1 of a cluster gave; share-2 that of worker 2, and so on"},
		{"restarts", "count", run, "how often workers were replaced since the target was started, but for reloads"},
		{"longest_gap", "duration", load, "longest time in which no good answer came"},
		{"p50", "duration", load, "median latency of good answers"},
		{"p90", "duration", load, "90th percentile of latency"},
		{"p95", "duration", load, "95th percentile of latency"},
		{"p99", "duration", load, "99th percentile of latency"},
		{"p99.9", "duration", load, "99.9th percentile of latency"},
		{"max", "duration", load, "largest latency"},
		{"mean", "duration", load, "mean latency"},
		{"uptime", "ratio", run, "share of the observed time in which probes were answered"},
		{"downtime", "duration", run, "failed probes × their interval"},
		{"longest_outage", "duration", run, "length of the longest outage"},
		{"longest_stall", "duration", run, "longest time without a good probe completing"},
		{"mttr", "duration", run, "mean length of an outage"},
		{"outages", "count", run, "number of outages"},
		{"recovery", "duration", []Scope{ScopeFault}, "time from a fault to its recovery; the largest over its repetitions"},
	}
}

func metricNamed(name string) (Metric, bool) {
	listed := name
	if _, ok := ShareSlot(name); ok {
		listed = firstShare
	}
	for _, m := range Metrics() {
		if m.Name == listed {
			m.Name = name
			return m, true
		}
	}
	return Metric{}, false
}

func (m Metric) allows(kind Scope) bool {
	for _, s := range m.Scopes {
		if s == kind {
			return true
		}
	}
	return false
}

func (m Metric) scopeList() string {
	names := make([]string, len(m.Scopes))
	for i, s := range m.Scopes {
		names[i] = string(s)
	}
	return strings.Join(names, " or ")
}

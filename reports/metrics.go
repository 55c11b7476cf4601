package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// OpenMetrics writes a document's figures as OpenMetrics 1.0 text. Every series
// carries the labels scenario and run, the run's number. What is unknown is left
// out.
func OpenMetrics(w io.Writer, doc Document) error {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(NewCollector(doc.Reports)); err != nil {
		return fmt.Errorf("write OpenMetrics: %w", err)
	}
	families, err := registry.Gather()
	if err != nil {
		return fmt.Errorf("write OpenMetrics: %w", err)
	}
	e := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeOpenMetrics))
	for _, family := range families {
		if err := e.Encode(family); err != nil {
			return fmt.Errorf("write OpenMetrics: %w", err)
		}
	}
	if closer, ok := e.(expfmt.Closer); ok {
		return closer.Close() // writes # EOF
	}
	return nil
}

// Collector gives the figures of reports to Prometheus, as they are when it is
// scraped. Make one with [NewCollector].
type Collector struct{ runs func() []*Report }

// NewCollector returns a collector of what runs returns at each scrape. Runs are
// numbered from 1; a nil one is left out, but counted. A report of a run that
// still goes on has no verdict.
func NewCollector(runs func() []*Report) *Collector { return &Collector{runs} }

// metric is one of the collector's metrics.
type metric struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string // after scenario and run
}

// The metrics. A dashboard refers to them by these.
var (
	metricInfo         = &metric{"hachaos_run_info", "What was played, and on what: always 1.", prometheus.GaugeValue, []string{"seed", "target", "version"}}
	metricVerdict      = &metric{"hachaos_run_verdict", "1 for the verdict of the run; none while it goes on.", prometheus.GaugeValue, []string{"verdict"}}
	metricDuration     = &metric{"hachaos_run_duration_seconds", "Length of the load so far.", prometheus.GaugeValue, nil}
	metricAvailability = &metric{"hachaos_availability_ratio", "Good requests ÷ all requests.", prometheus.GaugeValue, nil}
	metricUptime       = &metric{"hachaos_uptime_ratio", "Share of the observed time in which the prober was answered.", prometheus.GaugeValue, nil}
	metricDowntime     = &metric{"hachaos_downtime_seconds", "Failed probes × their interval.", prometheus.GaugeValue, nil}
	metricOutages      = &metric{"hachaos_outages", "Outages so far.", prometheus.GaugeValue, nil}
	metricStall        = &metric{"hachaos_longest_stall_seconds", "Longest time without a good probe completing.", prometheus.GaugeValue, nil}
	metricMTTR         = &metric{"hachaos_mttr_seconds", "Mean length of an outage.", prometheus.GaugeValue, nil}
	metricRequests     = &metric{"hachaos_requests_total", "Requests that ended, good or failed.", prometheus.CounterValue, []string{"stream", "outcome"}}
	metricFailures     = &metric{"hachaos_request_failures_total", "Failed requests by cause.", prometheus.CounterValue, []string{"stream", "cause"}}
	metricDegraded     = &metric{"hachaos_requests_degraded_total", "Good but degraded answers.", prometheus.CounterValue, []string{"stream"}}
	metricRetried      = &metric{"hachaos_requests_retried_total", "Requests sent once more after a kept connection closed.", prometheus.CounterValue, []string{"stream"}}
	metricThroughput   = &metric{"hachaos_throughput_requests_per_second", "Good answers per second over the whole run.", prometheus.GaugeValue, []string{"stream"}}
	metricLatency      = &metric{"hachaos_latency_seconds", "Latency of good answers over the whole run.", prometheus.UntypedValue, []string{"stream"}}
	metricSaturated    = &metric{"hachaos_generator_saturated", "1 if the generator could not keep its own schedule.", prometheus.GaugeValue, []string{"stream"}}
	metricProbes       = &metric{"hachaos_probes_total", "Probes by outcome.", prometheus.CounterValue, []string{"connections", "outcome"}}
	metricUnobserved   = &metric{"hachaos_unobserved_seconds", "Time in which no probe was sent.", prometheus.GaugeValue, []string{"connections"}}
	metricWorkers      = &metric{"hachaos_workers_ready", "Workers that were ready last.", prometheus.GaugeValue, nil}
	metricFaults       = &metric{"hachaos_faults_total", "Injections by state.", prometheus.CounterValue, []string{"fault", "kind", "state"}}
	metricFaultFailed  = &metric{"hachaos_fault_failed_requests_total", "Failed requests charged to a fault.", prometheus.CounterValue, []string{"fault", "kind"}}
	metricRecovery     = &metric{"hachaos_fault_recovery_seconds", "Slowest recovery of a fault that has recovered.", prometheus.GaugeValue, []string{"fault", "kind"}}
	metricUnexplained  = &metric{"hachaos_unexplained_requests_total", "Failed requests charged to no fault.", prometheus.CounterValue, nil}
	metricAllowed      = &metric{"hachaos_budget_allowed_seconds", "Downtime that the objective allows in its window.", prometheus.GaugeValue, nil}
	metricSpent        = &metric{"hachaos_budget_spent_seconds", "Downtime that the run spent.", prometheus.GaugeValue, nil}
	metricSpentRatio   = &metric{"hachaos_budget_spent_ratio", "Share of the budget that the run spent.", prometheus.GaugeValue, nil}
	metricObjective    = &metric{"hachaos_objective_met", "1 if the objective is met.", prometheus.GaugeValue, []string{"objective"}}
	metricObjectiveAt  = &metric{"hachaos_objective_value", "What the objective is measured at, in its metric's unit.", prometheus.GaugeValue, []string{"objective", "unit"}}
)

// Describe implements [prometheus.Collector]: which series there are depends on
// the scenario, so that it describes none.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	for i, r := range c.runs() {
		if r != nil {
			s := series{to, []string{metricLabel(sideName(r)), strconv.Itoa(i + 1)}}
			s.run(r)
			s.load(r)
			s.probes(r)
			s.faults(r)
			s.objectives(r)
		}
	}
}

// series writes the series of one run.
type series struct {
	to    chan<- prometheus.Metric
	fixed []string // values of scenario and run
}

func (s series) desc(m *metric) *prometheus.Desc {
	return prometheus.NewDesc(m.name, m.help, append([]string{"scenario", "run"}, m.labels...), nil)
}

func (s series) values(labels []string) []string {
	values := append([]string{}, s.fixed...)
	for _, l := range labels {
		values = append(values, metricLabel(l))
	}
	return values
}

func (s series) add(m *metric, v float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(s.desc(m), m.kind, v, s.values(labels)...)
}

// known adds v unless it is unknown.
func (s series) known(m *metric, v *float64, labels ...string) {
	if v != nil {
		s.add(m, *v, labels...)
	}
}

// metricLabel is a label's value: valid UTF-8 on one line.
func metricLabel(s string) string { return strings.ToValidUTF8(clean(s), "\ufffd") }

func (s series) run(r *Report) {
	a := &r.Availability
	s.add(metricInfo, 1, strconv.FormatUint(r.Scenario.Seed, 10), targetText(r.Target), r.Environment.Hachaos)
	if r.Verdict != "" {
		s.add(metricVerdict, 1, string(r.Verdict))
	}
	s.add(metricDuration, r.DurationS)
	s.known(metricAvailability, a.Availability)
	s.known(metricUptime, a.Uptime)
	s.known(metricDowntime, a.DowntimeS)
	s.known(metricStall, a.LongestStallS)
	s.known(metricMTTR, a.MTTRS)
	if a.Uptime != nil {
		s.add(metricOutages, float64(len(a.Outages)))
	}
	ready := r.Timeline.WorkersReady
	if n := len(ready); n > 0 && ready[n-1] != nil {
		s.add(metricWorkers, float64(*ready[n-1]))
	}
	if b := r.Budget; b != nil {
		s.add(metricAllowed, b.AllowedS)
		s.known(metricSpent, b.SpentS)
		s.known(metricSpentRatio, b.SpentRatio)
	}
}

func (s series) load(r *Report) {
	for _, l := range r.Load {
		s.add(metricRequests, float64(l.Requests.OK), l.Name, "ok")
		s.add(metricRequests, float64(l.Requests.Failed), l.Name, "failed")
		s.add(metricDegraded, float64(l.Requests.Degraded), l.Name)
		s.add(metricRetried, float64(l.Requests.Retried), l.Name)
		for _, cause := range sortedKeys(l.Failures) {
			s.add(metricFailures, float64(l.Failures[cause]), l.Name, cause)
		}
		s.known(metricThroughput, l.ThroughputRPS, l.Name)
		saturated := 0.0
		if l.Generator.Saturated {
			saturated = 1
		}
		s.add(metricSaturated, saturated, l.Name)
		if q := l.LatencyMS; q != nil {
			n := uint64(max(0, l.Requests.OK))
			quantiles := map[float64]float64{0: q.Min / 1e3, 0.5: q.P50 / 1e3, 0.9: q.P90 / 1e3, 0.95: q.P95 / 1e3, 0.99: q.P99 / 1e3, 0.999: q.P999 / 1e3, 1: q.Max / 1e3}
			s.to <- prometheus.MustNewConstSummary(s.desc(metricLatency), n, q.Mean/1e3*float64(n), quantiles, s.values([]string{l.Name})...)
		}
	}
}

func (s series) probes(r *Report) {
	for _, p := range r.Probes {
		s.add(metricProbes, float64(p.Sent-p.Failed), p.Connections, "ok")
		s.add(metricProbes, float64(p.Failed), p.Connections, "failed")
		s.add(metricUnobserved, p.UnobservedS, p.Connections)
	}
}

func (s series) faults(r *Report) {
	type key struct{ name, kind, state string }
	var order []key
	counts := map[key]float64{}
	failed, slowest := map[key]float64{}, map[key]float64{}
	var names []key
	for _, f := range r.Faults {
		k, name := key{f.Name, f.Kind, f.State}, key{f.Name, f.Kind, ""}
		if counts[k] == 0 {
			order = append(order, k)
		}
		if _, seen := failed[name]; !seen {
			names = append(names, name)
		}
		counts[k]++
		failed[name] += float64(f.FailedRequests)
		if f.RecoveryS != nil {
			slowest[name] = max(slowest[name], *f.RecoveryS)
		}
	}
	for _, k := range order {
		s.add(metricFaults, counts[k], k.name, k.kind, k.state)
	}
	for _, k := range names {
		s.add(metricFaultFailed, failed[k], k.name, k.kind)
		if v, ok := slowest[k]; ok {
			s.add(metricRecovery, v, k.name, k.kind)
		}
	}
	s.add(metricUnexplained, float64(r.UnexplainedRequests))
}

func (s series) objectives(r *Report) {
	seen := map[string]bool{}
	for _, o := range r.SLOs {
		if seen[metricLabel(o.Expr)] {
			continue // written twice
		}
		seen[metricLabel(o.Expr)] = true
		met := 0.0
		if o.OK {
			met = 1
		}
		s.add(metricObjective, met, o.Expr)
		s.known(metricObjectiveAt, o.Value, o.Expr, o.Unit)
	}
}

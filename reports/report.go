// Package reports concludes: from what a run measured ([Run]) it makes the
// figures, the verdict and the exit code ([Report]), and writes them for people
// and for machines. It measures nothing itself, and it starts nothing.
//
// Start reading at [Fold]. Objectives are read by [ParseObjective]; documents
// are written by one of [Formats], and files by [WriteFile], whole or not at
// all. The rules behind the figures stand where each is computed: availability,
// outages and the times between them in uptime.go, recovery in faults.go, the
// charging of failed requests in charge.go, the verdict in verdict.go.
package reports

import "time"

// Schema is the name of the format that [Report] is written in.
const Schema = "hachaos.report/v1"

// Verdict is what a run came to.
type Verdict string

const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"         // an objective was missed
	Inconclusive Verdict = "inconclusive" // the generator's own limits are in the figures, or the prober saw too little
	Error        Verdict = "error"        // the run could not be done as written
	Interrupted  Verdict = "interrupted"  // a signal ended it
	Aborted      Verdict = "aborted"      // abort_if struck
)

// Report is the outcome of one run, whole: every rendering is made from it
// alone. Fields are only ever added. What is unknown is null, never 0.
// Moments end in _s and count from t = 0, the end of the warm-up; ratios are
// 0…1.
type Report struct {
	Schema      string      `json:"schema"`
	Verdict     Verdict     `json:"verdict"`
	Reasons     []string    `json:"reasons"`
	Warnings    []string    `json:"warnings"`
	Scenario    Scenario    `json:"scenario"`
	Started     time.Time   `json:"started"`
	DurationS   float64     `json:"duration_s"`
	Environment Environment `json:"environment"`
	Target      Target      `json:"target"`
	Load        []Load      `json:"load"`
	Probes      []Probe     `json:"probes"`

	ThroughputRPS *float64 `json:"throughput_rps"` // good answers of all streams, from the first one's start to the last one's end of sending, or its last good answer

	Availability Availability `json:"availability"`
	Budget       *Budget      `json:"budget"`
	Projection   *Projection  `json:"projection"`
	Faults       []Fault      `json:"faults"`

	UnexplainedRequests int64      `json:"unexplained_requests"` // failed by the target, and no fault explains it
	Events              []Event    `json:"events"`
	SLOs                []SLO      `json:"slos"`
	Timeline            Timeline   `json:"timeline"`
	Resources           []Resource `json:"resources"`
	Practices           []Practice `json:"practices"` // of high availability; what the run has shown of them

	Dependencies []Dependency `json:"dependencies"`
	Proxies      []Proxy      `json:"proxies"` // the chaos proxies before them and before the target
}

// Scenario says what was played.
type Scenario struct {
	Name        string `json:"name"`
	Variant     string `json:"variant,omitempty"` // of a matrix: "target.cluster.workers=2"
	Description string `json:"description"`
	File        string `json:"file"`
	Seed        uint64 `json:"seed"`
	SHA256      string `json:"sha256"`
}

// Environment says where it was played.
type Environment struct {
	Hachaos string `json:"hachaos"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	CPUs    int    `json:"cpus"`
	Kernel  string `json:"kernel"`
}

// Target says what was tested.
type Target struct {
	Kind     string `json:"kind"` // cluster, single, command, url
	URL      string `json:"url"`
	Workers  int    `json:"workers"`
	Dispatch string `json:"dispatch,omitempty"`
}

// Load is one stream of load.
type Load struct {
	Name          string            `json:"name"`
	Model         string            `json:"model"` // closed, open
	Engine        string            `json:"engine"`
	Concurrency   int               `json:"concurrency,omitempty"`
	Rate          float64           `json:"rate,omitempty"`
	Requests      Requests          `json:"requests"`
	Availability  *float64          `json:"availability"`
	Failures      map[string]int64  `json:"failures"`
	Statuses      map[string]int64  `json:"statuses"`
	Examples      map[string]string `json:"examples"`
	ThroughputRPS *float64          `json:"throughput_rps"`
	LatencyMS     *Latency          `json:"latency_ms"`
	LongestGapS   *float64          `json:"longest_gap_s"` // longest time in which no good answer came, to 10 ms
	ServiceMS     *Latency          `json:"service_ms"`
	BytesIn       int64             `json:"bytes_in"`
	BytesOut      int64             `json:"bytes_out"`
	Generator     Generator         `json:"generator"`
	Workers       map[string]int64  `json:"workers"`
}

// Requests counts the requests of a stream. OK includes Degraded.
type Requests struct {
	Sent     int64 `json:"sent"`
	OK       int64 `json:"ok"`
	Degraded int64 `json:"degraded"`
	Failed   int64 `json:"failed"`
	Retried  int64 `json:"retried"`
}

// Latency sums up a distribution of good answers, in milliseconds.
type Latency struct {
	Min    float64 `json:"min"`
	Mean   float64 `json:"mean"`
	StdDev float64 `json:"stddev"`
	P50    float64 `json:"p50"`
	P90    float64 `json:"p90"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
	P999   float64 `json:"p999"`
	Max    float64 `json:"max"`
}

// Generator says how well the generator kept up with what it had to send.
type Generator struct {
	Saturated bool     `json:"saturated"`
	LagP99MS  *float64 `json:"lag_p99_ms"`
	CPUS      float64  `json:"cpu_s"`
}

// Probe is what the prober saw on one kind of connection.
type Probe struct {
	Connections   string            `json:"connections"`
	EveryMS       float64           `json:"every_ms"`
	Sent          int64             `json:"sent"`
	Failed        int64             `json:"failed"`
	Failures      map[string]int64  `json:"failures"`
	Examples      map[string]string `json:"examples"`
	UnobservedS   float64           `json:"unobserved_s"`
	LatenessP99MS *float64          `json:"lateness_p99_ms"`
	LatenessMaxMS *float64          `json:"lateness_max_ms"`
	Priority      string            `json:"priority"`
	Uptime        *float64          `json:"uptime"`
}

// Availability is the figure the run was made for.
type Availability struct {
	Availability     *float64    `json:"availability"` // good ÷ all requests of the load
	AvailabilityCI95 *[2]float64 `json:"availability_ci95"`
	Uptime           *float64    `json:"uptime"` // share of the observed time in which probes were answered
	UptimeCI95       *[2]float64 `json:"uptime_ci95"`
	CI95Reason       string      `json:"ci95_reason,omitempty"` // why there is no interval
	DowntimeS        *float64    `json:"downtime_s"`
	LongestStallS    *float64    `json:"longest_stall_s"`
	ResolutionMS     *float64    `json:"resolution_ms"` // what is shorter cannot be seen
	Outages          []Outage    `json:"outages"`
	MTTRS            *float64    `json:"mttr_s"`
	MTBFS            *float64    `json:"mtbf_s"`
	Nines            *float64    `json:"nines"` // −log10(1 − uptime); null when nothing failed
}

// Outage is a set of failed probes less than a second apart.
type Outage struct {
	StartS      float64  `json:"start_s"`      // the first failed probe
	EndS        *float64 `json:"end_s"`        // the first good one after the last failed; null: it lasted to the end
	LengthS     float64  `json:"length_s"`     // from start to end (or to the last probe), without unobserved time
	DownS       float64  `json:"down_s"`       // failed probes × interval
	FailedShare float64  `json:"failed_share"` // of the probes sent meanwhile
	Faults      []string `json:"faults"`       // ids of the faults it is put down to
}

// Budget is what the run spent of an error budget.
type Budget struct {
	Objective  float64     `json:"objective"`
	WindowS    float64     `json:"window_s"`
	AllowedS   float64     `json:"allowed_s"`
	SpentS     *float64    `json:"spent_s"`
	SpentRatio *float64    `json:"spent_ratio"`
	BurnRate   *float64    `json:"burn_rate"` // how many times as fast as the objective allows the run spent it
	Table      []BudgetRow `json:"table"`
}

// BudgetRow is what the objective allows in one window.
type BudgetRow struct {
	Window   string  `json:"window"`
	WindowS  float64 `json:"window_s"`
	AllowedS float64 `json:"allowed_s"`
}

// Fault is one injection and what came of it.
type Fault struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	Kind            string   `json:"kind"`
	Dependency      string   `json:"dependency,omitempty"` // the one that was struck; "" for the target
	N               int      `json:"n"`
	AtS             float64  `json:"at_s"` // when it was due
	StartS          float64  `json:"start_s"`
	TookS           float64  `json:"took_s"` // until the injection was through; it acts since a moment of that
	EndS            float64  `json:"end_s"`
	Lasting         bool     `json:"lasting"`                 // it was undone at end_s, and recovery counts from there unless victims_ended
	VictimsEnded    bool     `json:"victims_ended,omitempty"` // all that it struck ended by end_s, which needed no undoing; recovery counts from start_s
	State           string   `json:"state"`
	Victims         []Victim `json:"victims"`
	Detail          string   `json:"detail"`
	FailedRequests  int64    `json:"failed_requests"`
	RetriedRequests int64    `json:"retried_requests"`
	DownS           *float64 `json:"down_s"` // downtime put down to it as requests are; null if nobody probed
	RecoveryS       *float64 `json:"recovery_s"`
	Error           string   `json:"error,omitempty"`

	// The load around the fault; null if it was not injected.
	Before *Phase `json:"before"`
	During *Phase `json:"during"`
	After  *Phase `json:"after"`
}

// Phase counts the requests that finished in a part of the run.
type Phase struct {
	FromS        float64  `json:"from_s"`
	ToS          float64  `json:"to_s"`
	OK           int64    `json:"ok"`
	Failed       int64    `json:"failed"`
	Availability *float64 `json:"availability"`
}

// Victim is a process that a fault hit. Worker is its slot, 0 for what is no
// worker.
type Victim struct {
	Worker int `json:"worker"`
	PID    int `json:"pid"`
}

// Event is something that happened to the target and is no fault of the
// scenario: a worker that ended by itself, a replacement that became ready.
type Event struct {
	AtS    float64 `json:"at_s"`
	Source string  `json:"source"`
	What   string  `json:"what"`
}

// SLO is an objective and whether it was met. Value is null when it is unknown.
type SLO struct {
	Expr   string   `json:"expr"`
	Metric string   `json:"metric"`
	Scope  string   `json:"scope"`
	Value  *float64 `json:"value"`
	Unit   string   `json:"unit"`
	OK     bool     `json:"ok"`
}

// Timeline is the run's course over all streams, in buckets of BucketMS.
type Timeline struct {
	BucketMS     float64    `json:"bucket_ms"`
	OK           []int64    `json:"ok"`
	Failed       []int64    `json:"failed"`
	P50MS        []*float64 `json:"p50_ms"`
	P99MS        []*float64 `json:"p99_ms"`
	ProbeFailed  []int64    `json:"probe_failed"`
	WorkersReady []*int     `json:"workers_ready"`
}

// Resource is what one process of the run used.
type Resource struct {
	Process     string  `json:"process"`
	PID         int     `json:"pid"`
	CPUS        float64 `json:"cpu_s"`
	RSSMaxBytes int64   `json:"rss_max_bytes"`
	Served      *int64  `json:"served"`     // requests by a worker's own count; null of what is none
	Restarts    *int    `json:"restarts"`   // how often the worker in this place had been replaced before, but for reloads; null of what is no worker
	Unfinished  *int64  `json:"unfinished"` // requests that a worker was working on when it ended, by its own count

	Retries *Retries `json:"retries"` // null of what is no worker
}

// Retries is what was done again after it had failed, by a worker's own count,
// the warm-up included.
type Retries struct {
	Failed    int64   `json:"failed"`    // calls to what it depends on whose first try failed
	Succeeded int64   `json:"succeeded"` // of those that did when they were tried again
	Pauses    []Pause `json:"pauses"`    // before first, second, and all later tries again
	Resent    int64   `json:"resent"`    // requests that a proxy sent to another worker, because this one failed
}

// Pause is how long calls waited in all before so many tries again.
type Pause struct {
	Tries   int64   `json:"tries"`
	WaitedS float64 `json:"waited_s"`
}

// Dependency is what the target depended on, and how it was provided.
type Dependency struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`               // redis, postgres, mongodb, http, tcp
	Mode        string `json:"mode"`               // local, embedded, external
	Server      string `json:"server,omitempty"`   // which one and of which version: "redis-server 7.0.15"
	Topology    string `json:"topology,omitempty"` // of a Redis: single, sentinel, cluster
	Replicas    int    `json:"replicas,omitempty"`
	Replication string `json:"replication,omitempty"` // sync, async
	URL         string `json:"url"`
}

// Proxy is a chaos proxy: what passed it in the whole run, warm-up included,
// and what each fault did there.
type Proxy struct {
	Name            string       `json:"name"`
	Dependency      string       `json:"dependency"` // "" for the one before the target
	Listen          string       `json:"listen"`
	Upstream        string       `json:"upstream"`
	Connections     int64        `json:"connections"`
	DialErrors      int64        `json:"dial_errors"` // the upstream could not be reached
	BytesUpstream   int64        `json:"bytes_upstream"`
	BytesDownstream int64        `json:"bytes_downstream"`
	Faults          []ProxyFault `json:"faults"`
}

// ProxyFault says what one fault did to what passed a proxy.
type ProxyFault struct {
	Fault       string `json:"fault"` // its id: "redis-cut#1"
	Toxic       string `json:"toxic"` // the type of toxic that it was injected as
	Stream      string `json:"stream"`
	Connections int64  `json:"connections"` // that it acted on
	Actions     int64  `json:"actions"`     // how often it acted: chunks delayed, commands answered, …
	Bytes       int64  `json:"bytes"`       // that it acted on
}

// Package scenarios reads, checks and plays scenarios: files that say what is
// started, how it is loaded, what is broken and what has to hold.
//
// Start reading at [Scenario], the file as Go types, and [Load], which reads
// one and finds every mistake in it at once. [Library] lists the scenarios that
// are built in, [JSONSchema] describes the file to editors. The package never
// measures anything itself: load, faults and figures come from loadgen, chaos
// and reports.
package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets"
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/cluster"
)

// Scenario is one scenario file (v1). One that [Load] returned is valid and its
// defaults are filled in; its templates are expanded by [Scenario.Expand].
type Scenario struct {
	Name        string  `yaml:"name" json:"name" jsonschema:"required,description=Name of the scenario"`
	Description string  `yaml:"description" json:"description,omitempty" jsonschema:"description=What it shows and what result to expect"`
	Seed        *uint64 `yaml:"seed" json:"seed,omitempty" jsonschema:"description=Seed of every random choice; drawn anew for each run if left out,minimum=0"`
	AllowRemote bool    `yaml:"allow_remote" json:"allow_remote,omitempty" jsonschema:"description=Allow a target whose host is not loopback"`

	Target Target         `yaml:"target" json:"target" jsonschema:"required,description=What is tested: exactly one kind"`
	Ready  Ready          `yaml:"ready" json:"ready,omitzero" jsonschema:"description=When the target counts as ready"`
	Warmup units.Duration `yaml:"warmup" json:"warmup,omitempty" jsonschema:"description=Load before t = 0 that is not counted,default=1s"`

	Dependencies map[string]backend.Config `yaml:"dependencies" json:"dependencies,omitempty" jsonschema:"description=What the target depends on; by name"`
	Front        bool                      `yaml:"front" json:"front,omitempty" jsonschema:"description=A chaos proxy before the target that load and prober go through,default=false"`

	Load  []loadgen.Stream `yaml:"load" json:"load" jsonschema:"required,minItems=1,description=Streams of requests; all of them run at once"`
	Probe Probe            `yaml:"probe" json:"probe,omitzero" jsonschema:"description=The prober beside the load; false switches it off"`
	Chaos []chaos.Fault    `yaml:"chaos" json:"chaos,omitempty" jsonschema:"description=What is broken and when"`

	AbortIf []reports.Objective `yaml:"abort_if" json:"abort_if,omitempty" jsonschema:"description=Looked at every second; one that holds reverts everything and ends the run with exit code 1"`
	SLO     []reports.Objective `yaml:"slo" json:"slo,omitempty" jsonschema:"description=Objectives that decide the exit code"`
	Budget  *Budget             `yaml:"budget" json:"budget,omitempty" jsonschema:"description=Whose downtime budget the report spends; never decides the exit code"`

	Rates map[string]units.Rate `yaml:"rates" json:"rates,omitempty" jsonschema:"description=How often each fault is expected in service such as 2/day; from it the report projects a year"`

	// Matrix is empty in what [LoadAll] returns: it was expanded.
	Matrix Matrix `yaml:"matrix" json:"matrix,omitempty" jsonschema:"description=Variants to play and compare: paths as of --set and the values that each takes"`

	// Where it came from.
	File    string   `yaml:"-" json:"-"` // as given; "stdin"; "library/NAME.yaml"
	SHA256  string   `yaml:"-" json:"-"` // of the file's bytes, before any --set, in hex
	Sets    []string `yaml:"-" json:"-"` // what --set changed
	Variant string   `yaml:"-" json:"-"` // which one of its matrix: "workers=2"
	env     func(string) (string, bool)
	secrets []string
}

// Target says what is tested. Exactly one kind is set.
type Target struct {
	Cluster *cluster.Config        `yaml:"cluster" json:"cluster,omitempty" jsonschema:"description=The reference cluster: a master and its workers"`
	Single  *targets.SingleConfig  `yaml:"single" json:"single,omitempty" jsonschema:"description=The reference application as one process"`
	Command *targets.CommandConfig `yaml:"command" json:"command,omitempty" jsonschema:"description=Any program"`
	URL     string                 `yaml:"url" json:"url,omitempty" jsonschema:"description=Something that already runs"`
}

// Kind returns "cluster", "single", "command" or "url".
func (t Target) Kind() string {
	switch {
	case t.Cluster != nil:
		return "cluster"
	case t.Single != nil:
		return "single"
	case t.Command != nil:
		return "command"
	}
	return "url"
}

// Ready says when a target counts as ready: Path answers with one of Status.
type Ready struct {
	Path    string                `yaml:"path" json:"path,omitempty" jsonschema:"description=Path that is asked; default /ready for cluster and single and that of the probe for others"`
	Timeout units.Duration        `yaml:"timeout" json:"timeout,omitempty" jsonschema:"description=A target that is not ready by then ends the run with exit code 3,default=10s"`
	Status  []loadgen.StatusRange `yaml:"status" json:"status,omitempty" jsonschema:"description=Statuses that mean ready; default 200-399"`
}

// Probe is the prober's configuration, which may also be written false.
type Probe struct {
	loadgen.Probe `yaml:",inline"`
}

// UnmarshalText reads the short forms: false and off for no prober, true and on
// for the default one.
func (p *Probe) UnmarshalText(b []byte) error {
	switch string(b) {
	case "false", "off", "no":
		p.Off = true
	case "true", "on", "yes":
		p.Off = false
	default:
		return fmt.Errorf("%q is neither false nor a mapping such as {every: 10ms}", shorten(string(b)))
	}
	return nil
}

// Budget says whose downtime budget a report spends.
type Budget struct {
	Objective units.Ratio    `yaml:"objective" json:"objective" jsonschema:"required,description=Availability that was promised such as 99.9%"`
	Window    units.Duration `yaml:"window" json:"window,omitempty" jsonschema:"description=Time over which it was promised,default=30d"`
}

// Title is the scenario's name, and which variant of its matrix it is.
func (s *Scenario) Title() string {
	if s.Variant == "" {
		return s.Name
	}
	return s.Name + " " + s.Variant
}

// Duration returns how long the longest stream sends, counted from t = 0; false
// if that is unknown because a stream ends by its count.
func (s *Scenario) Duration() (time.Duration, bool) {
	var longest time.Duration
	for _, l := range s.Load {
		if l.Count > 0 || l.Duration <= 0 {
			return 0, false
		}
		longest = max(longest, l.Duration.Std())
	}
	return longest, len(s.Load) > 0
}

// part is a part of a scenario that another package knows: it reports what is
// wrong with it, by path.
type part interface {
	Check(report func(path, message string))
}

// parts calls visit for each part of the scenario with its path.
func (s *Scenario) parts(visit func(path string, p part)) {
	if s.Target.Cluster != nil {
		visit("target.cluster", s.Target.Cluster)
	}
	if s.Target.Single != nil {
		visit("target.single", s.Target.Single)
	}
	if s.Target.Command != nil {
		visit("target.command", s.Target.Command)
	}
	for _, name := range s.dependencyNames() {
		config := s.Dependencies[name]
		visit("dependencies."+name, &config)
	}
	for i := range s.Load {
		visit(fmt.Sprintf("load.%d", i), &s.Load[i])
	}
	visit("probe", &s.Probe)
	for i := range s.Chaos {
		visit(fmt.Sprintf("chaos.%d", i), &s.Chaos[i])
	}
}

// dependencyNames lists the dependencies in the order in which they are started.
func (s *Scenario) dependencyNames() []string { return slices.Sorted(maps.Keys(s.Dependencies)) }

// setDefaults fills in what the file leaves open.
func (s *Scenario) setDefaults() {
	s.Warmup = units.Duration(time.Second)
	if s.Target.Cluster != nil {
		s.Target.Cluster.SetDefaults()
	}
	if s.Target.Single != nil {
		s.Target.Single.SetDefaults()
	}
	if s.Target.Command != nil {
		s.Target.Command.SetDefaults()
	}
	for name, config := range s.Dependencies {
		config.SetDefaults()
		s.Dependencies[name] = config
	}
	var first loadgen.Request
	for i := range s.Load {
		s.Load[i].SetDefaults()
		first = s.Load[0].Requests[0]
	}
	s.Probe.SetDefaults(first)
	for i := range s.Chaos {
		s.Chaos[i].SetDefaults()
	}
	s.Ready = Ready{Path: s.Probe.Path, Timeout: units.Duration(10 * time.Second), Status: []loadgen.StatusRange{{From: 200, To: 399}}}
	if s.Target.Cluster != nil || s.Target.Single != nil {
		s.Ready.Path = "/ready"
	}
	if s.Budget != nil {
		s.Budget.Window = units.Duration(30 * 24 * time.Hour)
	}
}

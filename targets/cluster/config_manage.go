package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// Restart says which ended workers are replaced, and when. A worker that had
// lived MinUptime is replaced at once; one that had not, or was never ready,
// waits Backoff, twice as long after each further short life, up to MaxBackoff.
// After more than Max short lives within Window its slot is errored: it stays
// empty until a reload.
type Restart struct {
	When       string         `yaml:"when" json:"when,omitempty" jsonschema:"description=Which ended workers are replaced,enum=always,enum=on-failure,enum=never,default=on-failure"`
	Backoff    units.Duration `yaml:"backoff" json:"backoff,omitempty" jsonschema:"description=Wait before replacing a worker that lived shorter than min_uptime,default=100ms"`
	MaxBackoff units.Duration `yaml:"max_backoff" json:"max_backoff,omitempty" jsonschema:"description=Upper end of the doubling wait,default=15s"`
	MinUptime  units.Duration `yaml:"min_uptime" json:"min_uptime,omitempty" jsonschema:"description=A worker that lived this long is replaced at once,default=1s"`
	Max        int            `yaml:"max" json:"max,omitempty" jsonschema:"description=Replacements of workers that lived shortly within window; then the slot is errored and stays empty until a reload,minimum=1,default=16"`
	Window     units.Duration `yaml:"window" json:"window,omitempty" jsonschema:"description=Time in which short lives count,default=5m"`
	MaxMemory  units.Bytes    `yaml:"max_memory" json:"max_memory,omitempty" jsonschema:"description=A worker whose resident memory exceeds it is replaced gracefully: its replacement is ready before it leaves; 0 for no limit"`
}

// Liveness asks each worker, and has one killed that does not answer: unlike
// one that crashed, a worker that hangs is not replaced by itself.
type Liveness struct {
	Path     string         `yaml:"path" json:"path,omitempty" jsonschema:"description=What a worker is asked for; any status below 500 is an answer,default=/live"`
	Interval units.Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Time between two questions,default=1s"`
	Timeout  units.Duration `yaml:"timeout" json:"timeout,omitempty" jsonschema:"description=Time for an answer,default=1s"`
	Fails    int            `yaml:"fails" json:"fails,omitempty" jsonschema:"description=Questions without an answer in a row after which the worker is killed,minimum=1,default=3"`
}

// Reload says how workers are replaced by new ones.
type Reload struct {
	Order       string         `yaml:"order" json:"order,omitempty" jsonschema:"description=Whether a replacement is ready before the old worker leaves or starts after that,enum=start-first,enum=stop-first,default=start-first"`
	Parallelism int            `yaml:"parallelism" json:"parallelism,omitempty" jsonschema:"description=Workers that are replaced at the same time,minimum=1,default=1"`
	Delay       units.Duration `yaml:"delay" json:"delay,omitempty" jsonschema:"description=Wait between one group of workers and the next,default=0s"`
	OnFailure   string         `yaml:"on_failure" json:"on_failure,omitempty" jsonschema:"description=What follows when a replacement does not become ready: stop there; put the old workers back; or go on with the next,enum=pause,enum=rollback,enum=continue,default=pause"`
}

// Broadcast has the master ask the database how many users there are ($DATABASE_URL;
// a stand-in without one) and tell all workers, which answer /users by it.
type Broadcast struct {
	Interval units.Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Time between two queries,default=1s"`
}

// Drain says how the cluster stops.
type Drain struct {
	Mode  string         `yaml:"mode" json:"mode,omitempty" jsonschema:"description=What becomes of requests that come while it stops: served or answered 503,enum=serve,enum=reject,default=serve"`
	Delay units.Duration `yaml:"delay" json:"delay,omitempty" jsonschema:"description=Time in which /health and /ready fail already and everything else is served before no more connections are taken,default=0s"`
}

func (c *Config) setManageDefaults() {
	setDefault(&c.Restart.When, "on-failure")
	setDefault(&c.Restart.Backoff, units.Duration(100*time.Millisecond))
	setDefault(&c.Restart.MaxBackoff, units.Duration(15*time.Second))
	setDefault(&c.Restart.MinUptime, units.Duration(time.Second))
	setDefault(&c.Restart.Max, 16)
	setDefault(&c.Restart.Window, units.Duration(5*time.Minute))
	setDefault(&c.ReadyTimeout, units.Duration(3*time.Second))
	setDefault(&c.KillTimeout, units.Duration(5*time.Second))
	if l := c.Liveness; l != nil {
		setDefault(&l.Path, "/live")
		setDefault(&l.Interval, units.Duration(time.Second))
		setDefault(&l.Timeout, units.Duration(time.Second))
		setDefault(&l.Fails, 3)
	}
	if b := c.Broadcast; b != nil {
		setDefault(&b.Interval, units.Duration(time.Second))
	}
	setDefault(&c.Reload.Order, "start-first")
	setDefault(&c.Reload.Parallelism, 1)
	setDefault(&c.Reload.OnFailure, "pause")
	setDefault(&c.Drain.Mode, "serve")
	setDefault(&c.Standby, "none")
	setDefault(&c.InstanceVar, "INSTANCE_ID")
	setDefault(&c.PortVar, "PORT")
}

func (c *Config) checkManage(report func(path, message string)) {
	oneOf := func(path, value string, choices ...string) {
		if !slices.Contains(choices, value) {
			last := len(choices) - 1
			report(path, fmt.Sprintf("%q is not one of %s and %s", value, strings.Join(choices[:last], ", "), choices[last]))
		}
	}
	oneOf("restart.when", c.Restart.When, "always", "on-failure", "never")
	oneOf("reload.order", c.Reload.Order, "start-first", "stop-first")
	oneOf("reload.on_failure", c.Reload.OnFailure, "pause", "rollback", "continue")
	oneOf("standby", c.Standby, "none", "passive", "active")
	if c.Standby == "active" && c.Dispatch != "handoff" && c.Dispatch != "proxy" {
		report("standby", "active is for masters that accept connections themselves: with handoff and proxy; with "+c.Dispatch+" the workers do, and no master's death costs a connection: use passive")
	}
	oneOf("drain.mode", c.Drain.Mode, "serve", "reject")
	if c.Reload.OnFailure == "rollback" && c.Reload.Order == "stop-first" {
		report("reload.on_failure", "rollback needs order start-first: with stop-first the old workers have ended and cannot be put back")
	}
	for _, n := range []struct {
		path  string
		value int
	}{{"restart.max", c.Restart.Max}, {"reload.parallelism", c.Reload.Parallelism}} {
		if n.value < 1 {
			_, key, _ := strings.Cut(n.path, ".")
			report(n.path, key+" is a number from 1")
		}
	}
	if c.Restart.MaxMemory < 0 {
		report("restart.max_memory", "max_memory is negative")
	}
	if c.Restart.MaxBackoff < c.Restart.Backoff {
		report("restart.max_backoff", fmt.Sprintf("max_backoff %v is shorter than backoff %v", c.Restart.MaxBackoff, c.Restart.Backoff))
	}
	type duration struct {
		path  string
		value units.Duration
	}
	for _, d := range []duration{
		{"reload.delay", c.Reload.Delay}, {"drain.delay", c.Drain.Delay},
	} {
		if d.value < 0 {
			report(d.path, "the duration is negative")
		}
	}
	// Of these 0s stands for the default, also where it was written.
	positive := []duration{
		{"restart.backoff", c.Restart.Backoff}, {"restart.min_uptime", c.Restart.MinUptime}, {"restart.window", c.Restart.Window},
		{"ready_timeout", c.ReadyTimeout}, {"kill_timeout", c.KillTimeout},
	}
	if b := c.Broadcast; b != nil {
		positive = append(positive, duration{"broadcast.interval", b.Interval})
	}
	if l := c.Liveness; l != nil {
		positive = append(positive, duration{"liveness.interval", l.Interval}, duration{"liveness.timeout", l.Timeout})
		if !strings.HasPrefix(l.Path, "/") {
			report("liveness.path", fmt.Sprintf("%q is no path: it begins with /", l.Path))
		}
		if l.Fails < 1 {
			report("liveness.fails", "fails is a number from 1")
		}
	}
	for _, d := range positive {
		if d.value <= 0 {
			key := d.path[strings.LastIndex(d.path, ".")+1:]
			report(d.path, key+" must be longer than 0s")
		}
	}
	for _, v := range []struct{ path, value string }{{"instance_var", c.InstanceVar}, {"port_var", c.PortVar}} {
		if v.value == "" || strings.ContainsAny(v.value, "=\x00") {
			report(v.path, fmt.Sprintf("%q cannot be the name of an environment variable", v.value))
		}
	}
}

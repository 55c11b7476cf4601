package chaos

import (
	"fmt"
	"strconv"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/invopop/jsonschema"
)

// Fault describes one fault of a scenario: exactly one kind, and when it
// strikes.
type Fault struct {
	Name   string  `yaml:"name" json:"name" jsonschema:"required,description=Name of the fault; unique over streams and faults"`
	Kill   *Kill   `yaml:"kill" json:"kill,omitempty" jsonschema:"description=Send a signal that ends processes"`
	Pause  *Pause  `yaml:"pause" json:"pause,omitempty" jsonschema:"description=Freeze processes (SIGSTOP) and thaw them (SIGCONT)"`
	Exit   *Exit   `yaml:"exit" json:"exit,omitempty" jsonschema:"description=The reference application ends itself as if it had crashed"`
	Reload *Reload `yaml:"reload" json:"reload,omitempty" jsonschema:"description=Reload the target: every worker replaced"`
	Exec   *Exec   `yaml:"exec" json:"exec,omitempty" jsonschema:"description=Run a command; and another one to undo it"`

	Cut     *Cut     `yaml:"cut" json:"cut,omitempty" jsonschema:"description=Reset the connections to a dependency or to the target and refuse new ones"`
	Latency *Latency `yaml:"latency" json:"latency,omitempty" jsonschema:"description=Delay what passes over connections"`
	Toxic   *Toxic   `yaml:"toxic" json:"toxic,omitempty" jsonschema:"description=Any toxic of the chaos proxy"`
	Stop    *Stop    `yaml:"stop" json:"stop,omitempty" jsonschema:"description=End servers of a dependency as an operator does and start them again"`
	Promote *Promote `yaml:"promote" json:"promote,omitempty" jsonschema:"description=Make a replica of a dependency its primary"`
	Lag     *Lag     `yaml:"lag" json:"lag,omitempty" jsonschema:"description=Hold the replicas of a dependency back while they go on answering"`
	Fill    *Fill    `yaml:"fill" json:"fill,omitempty" jsonschema:"description=Use a dependency up: the connections of a PostgreSQL or the memory of a Redis"`

	At       units.Duration `yaml:"at" json:"at" jsonschema:"description=When it strikes; from the end of the warm-up"`
	Every    units.Duration `yaml:"every" json:"every,omitempty" jsonschema:"description=Interval of repetitions"`
	Count    int            `yaml:"count" json:"count,omitempty" jsonschema:"description=Number of repetitions; default 1 or as many as fit when every is set,minimum=1"`
	Until    units.Duration `yaml:"until" json:"until,omitempty" jsonschema:"description=No repetition begins after this"`
	For      units.Duration `yaml:"for" json:"for,omitempty" jsonschema:"description=How long a lasting fault lasts"`
	Jitter   units.Duration `yaml:"jitter" json:"jitter,omitempty" jsonschema:"description=Each repetition is late by a random time up to this"`
	Optional bool           `yaml:"optional" json:"optional,omitempty" jsonschema:"description=An injection that fails does not end the run with exit code 3"`
}

// Selector says which processes a process fault strikes. Its zero value is one
// random worker.
type Selector struct {
	Dependency string `yaml:"dependency" json:"dependency,omitempty" jsonschema:"description=The servers of this dependency instead of the target's processes"`
	Process    string `yaml:"process" json:"process,omitempty" jsonschema:"description=main is the cluster's master or a command's first process or a dependency's server; the others are roles of a dependency's servers,enum=main,enum=primary,enum=replica,enum=sentinel"`
	Workers    Count  `yaml:"workers" json:"workers,omitempty" jsonschema:"description=How many workers (of a dependency: servers of that role): a number or all; default 1"`
	Pick       string `yaml:"pick" json:"pick,omitempty" jsonschema:"description=Which workers,enum=random,enum=oldest,enum=newest,default=random"`
	Match      string `yaml:"match" json:"match,omitempty" jsonschema:"description=Regular expression on the command line; among the processes of the run"`
}

// Kill ends processes with a signal.
type Kill struct {
	Selector `yaml:",inline"`
	Signal   string `yaml:"signal" json:"signal,omitempty" jsonschema:"description=Signal to send,default=SIGKILL"`
}

// Pause freezes processes until it is reverted.
type Pause struct {
	Selector `yaml:",inline"`
}

// Exit lets workers of the reference application end themselves.
type Exit struct {
	Selector `yaml:",inline"`
	Code     *int `yaml:"code" json:"code,omitempty" jsonschema:"description=Exit code,minimum=0,maximum=255,default=1"`
}

// Reload replaces every worker of the target, as the target does it.
type Reload struct{}

// Exec runs commands: one that injects, one that reverts. No shell is involved.
type Exec struct {
	Run    []string `yaml:"run" json:"run" jsonschema:"required,description=Program and arguments"`
	Revert []string `yaml:"revert" json:"revert,omitempty" jsonschema:"description=Program and arguments that undo it; it is run even if hachaos is killed. What it leaves running is to write its output elsewhere"`

	dir string // where both are run; "" is hachaos's own
}

// Count is a number of workers: "2", or "all". The zero Count is not given.
type Count struct {
	N   int
	All bool
}

// UnmarshalText reads a positive number or "all".
func (c *Count) UnmarshalText(b []byte) error {
	if string(b) == "all" {
		*c = Count{All: true}
		return nil
	}
	n, err := strconv.Atoi(string(b))
	if err != nil || n < 1 {
		return fmt.Errorf("%q is neither a number from 1 nor all", b)
	}
	*c = Count{N: n}
	return nil
}

// MarshalText prints what [Count.UnmarshalText] reads.
func (c Count) MarshalText() ([]byte, error) {
	if c.All {
		return []byte("all"), nil
	}
	return strconv.AppendInt(nil, int64(c.N), 10), nil
}

// JSONSchema describes the forms of a count.
func (Count) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Minimum: "1"}, {Const: "all"}}}
}

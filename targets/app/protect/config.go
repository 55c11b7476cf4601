package protect

import (
	"fmt"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// Pool bounds how many calls to one dependency a process has under way.
type Pool struct {
	Max  int            `yaml:"max" json:"max" jsonschema:"required,description=Connections to each dependency that a process uses at once,minimum=1"`
	Wait units.Duration `yaml:"wait" json:"wait,omitempty" jsonschema:"description=How long a request waits for a free one (left out: as long as the client does)"`
}

// Retry calls a dependency again after a failure. Each pause is drawn from 0 to
// its full length (AWS's "full jitter"), which is base times 1, 2, 3, … for
// linear and times 1, 2, 4, … for exponential.
type Retry struct {
	Attempts int            `yaml:"attempts" json:"attempts,omitempty" jsonschema:"description=Calls in all; 1 for no retry,minimum=1,default=3"`
	Backoff  string         `yaml:"backoff" json:"backoff,omitempty" jsonschema:"description=How the pauses between them grow,enum=exponential,enum=linear,default=exponential"`
	Base     units.Duration `yaml:"base" json:"base,omitempty" jsonschema:"description=Longest first pause; each is drawn from 0 to its length,default=50ms"`
	Budget   units.Ratio    `yaml:"budget" json:"budget,omitempty" jsonschema:"description=Share of requests that may be retried such as 20% (left out: all of them)"`
}

// Breaker stops calling a dependency that fails. It opens after so many
// failures in a row, or by their share within the last 10 s.
type Breaker struct {
	Failures  int            `yaml:"failures" json:"failures,omitempty" jsonschema:"description=Failures in a row that open it (with error_rate: 0 unless given),minimum=0,default=5"`
	ErrorRate units.Ratio    `yaml:"error_rate" json:"error_rate,omitempty" jsonschema:"description=Share of failures among at least 10 calls of the last 10 s that opens it such as 50%"`
	Open      units.Duration `yaml:"open" json:"open,omitempty" jsonschema:"description=How long it stays open before it tries again,default=30s"`
	HalfOpen  int            `yaml:"half_open" json:"half_open,omitempty" jsonschema:"description=Calls at once while it tries again,minimum=1,default=1"`
	Successes int            `yaml:"successes" json:"successes,omitempty" jsonschema:"description=Successes in a row that close it,minimum=1,default=2"`
}

// SetDefaults fills in what r leaves open.
func (r *Retry) SetDefaults() {
	setDefault(&r.Attempts, 3)
	setDefault(&r.Backoff, "exponential")
	setDefault(&r.Base, units.Duration(50*time.Millisecond))
}

// SetDefaults fills in what b leaves open.
func (b *Breaker) SetDefaults() {
	if b.ErrorRate == 0 {
		setDefault(&b.Failures, 5)
	}
	setDefault(&b.Open, units.Duration(30*time.Second))
	setDefault(&b.HalfOpen, 1)
	setDefault(&b.Successes, 2)
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Check reports what is wrong with p; path is that of a key in it.
func (p *Pool) Check(report func(path, message string)) {
	if p.Max < 1 {
		report("max", "max is the number of connections, from 1 (leave pool out for no bound)")
	}
	if p.Wait < 0 {
		report("wait", "wait is negative")
	}
}

// Check reports what is wrong with r; path is that of a key in it.
func (r *Retry) Check(report func(path, message string)) {
	if r.Attempts < 1 {
		report("attempts", "attempts is a number from 1, which means no retry")
	}
	if r.Backoff != "exponential" && r.Backoff != "linear" {
		report("backoff", fmt.Sprintf("%q is not one of exponential and linear", r.Backoff))
	}
	if r.Base <= 0 {
		report("base", "base must be longer than 0s (1us is hardly a pause)")
	}
	checkRatio(report, "budget", r.Budget)
}

// Check reports what is wrong with b; path is that of a key in it.
func (b *Breaker) Check(report func(path, message string)) {
	switch {
	case b.Failures < 0:
		report("failures", "failures is negative")
	case b.Failures == 0 && b.ErrorRate == 0:
		report("failures", "failures is 0 and there is no error_rate: nothing would open it")
	}
	checkRatio(report, "error_rate", b.ErrorRate)
	if b.Open <= 0 {
		report("open", "open must be longer than 0s")
	}
	if b.HalfOpen < 1 {
		report("half_open", "half_open is a number from 1: without a call it would never close")
	}
	if b.Successes < 1 {
		report("successes", "successes is a number from 1")
	}
}

func checkRatio(report func(path, message string), path string, r units.Ratio) {
	if r < 0 || r > 1 {
		report(path, fmt.Sprintf("%s is %s, which is not between 0%% and 100%%", path, r))
	}
}

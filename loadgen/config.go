package loadgen

import "github.com/hachaos/hachaos/reports/units"

// Stream describes one stream of load: how it arrives (closed or open), for
// how long, and what it asks for. Exactly one of Closed and Open is set, and
// exactly one of Duration and Count is positive.
type Stream struct {
	Name     string         `yaml:"name" json:"name" jsonschema:"required,description=Name of the stream; unique over streams and faults"`
	Closed   *Closed        `yaml:"closed" json:"closed,omitempty" jsonschema:"description=Closed load as ab makes it: each client sends and waits and sends again"`
	Open     *Open          `yaml:"open" json:"open,omitempty" jsonschema:"description=Open load: requests arrive on a schedule of their own"`
	Duration units.Duration `yaml:"duration" json:"duration,omitempty" jsonschema:"description=How long requests are sent"`
	Count    int64          `yaml:"count" json:"count,omitempty" jsonschema:"description=How many requests are sent instead of a duration,minimum=1"`
	Timeout  units.Duration `yaml:"timeout" json:"timeout,omitempty" jsonschema:"description=Deadline of one request from connecting (open load: from when it was due) to its last byte,default=5s"`
	// FailurePause is a pointer because 0 is a pause too: that of ab.
	FailurePause *units.Duration `yaml:"failure_pause" json:"failure_pause,omitempty" jsonschema:"description=How long a closed client waits after a failed request,default=100ms"`
	Requests     []Request       `yaml:"requests" json:"requests,omitempty" jsonschema:"description=What is asked for; drawn by weight"`
}

// Closed is load in which a fixed number of clients each wait for an answer
// before they send again.
type Closed struct {
	Concurrency int            `yaml:"concurrency" json:"concurrency" jsonschema:"description=Number of clients,minimum=1"`
	Keepalive   bool           `yaml:"keepalive" json:"keepalive,omitempty" jsonschema:"description=Keep connections open between requests"`
	Think       units.Duration `yaml:"think" json:"think,omitempty" jsonschema:"description=How long a client waits between an answer and its next request"`
	RampUp      units.Duration `yaml:"ramp_up" json:"ramp_up,omitempty" jsonschema:"description=Time from t = 0 over which the clients begin one after the other; the first one plays the warm-up alone,default=0s"`
}

// Open is load whose requests are due at moments that do not depend on the
// answers. Exactly one of Rate, Ramp, Sine and Poisson is set.
type Open struct {
	Rate      units.Rate `yaml:"rate" json:"rate,omitempty" jsonschema:"description=Constant arrivals such as 500/s"`
	Ramp      *Ramp      `yaml:"ramp" json:"ramp,omitempty" jsonschema:"description=Linearly changing arrivals"`
	Sine      *Sine      `yaml:"sine" json:"sine,omitempty" jsonschema:"description=Arrivals that swing around a mean"`
	Poisson   *Poisson   `yaml:"poisson" json:"poisson,omitempty" jsonschema:"description=Independent arrivals: exponential gaps"`
	Senders   int        `yaml:"senders" json:"senders,omitempty" jsonschema:"description=Bound of requests in flight at once; beyond it a due request waits in line,minimum=1,default=1000"`
	Keepalive *bool      `yaml:"keepalive" json:"keepalive,omitempty" jsonschema:"description=Keep connections open between requests,default=true"`
}

// Ramp is a rate that goes linearly from From to To over Over, and stays there.
type Ramp struct {
	From units.Rate     `yaml:"from" json:"from"`
	To   units.Rate     `yaml:"to" json:"to"`
	Over units.Duration `yaml:"over" json:"over"`
}

// Sine is a rate that swings by Amplitude around Mean once every Period.
type Sine struct {
	Mean      units.Rate     `yaml:"mean" json:"mean"`
	Amplitude units.Rate     `yaml:"amplitude" json:"amplitude"`
	Period    units.Duration `yaml:"period" json:"period"`
}

// Poisson is a Poisson process of mean rate Rate.
type Poisson struct {
	Rate units.Rate `yaml:"rate" json:"rate"`
}

// Request is one kind of request of a stream and what a good answer to it is.
type Request struct {
	Method  string            `yaml:"method" json:"method,omitempty" jsonschema:"description=HTTP method,default=GET"`
	Path    string            `yaml:"path" json:"path,omitempty" jsonschema:"description=Path and query below the target's URL,default=/"`
	Weight  int               `yaml:"weight" json:"weight,omitempty" jsonschema:"description=Share among the stream's requests,minimum=1,default=1"`
	Headers map[string]string `yaml:"headers" json:"headers,omitempty" jsonschema:"description=Header fields"`
	Body    string            `yaml:"body" json:"body,omitempty" jsonschema:"description=Body"`
	Expect  Expect            `yaml:"expect" json:"expect,omitzero" jsonschema:"description=What a good answer is"`
}

// Expect says which answers are good.
type Expect struct {
	Status   []StatusRange `yaml:"status" json:"status,omitempty" jsonschema:"description=Good statuses such as 200 or 200-399; default 200-399"`
	Body     string        `yaml:"body" json:"body,omitempty" jsonschema:"description=Text that the body contains"`
	Degraded []StatusRange `yaml:"degraded" json:"degraded,omitempty" jsonschema:"description=Statuses that are good but degraded"`
}

// Probe describes the prober that runs beside the load.
type Probe struct {
	Every       units.Duration `yaml:"every" json:"every,omitempty" jsonschema:"description=Interval between probes: the resolution of uptime,default=10ms"`
	Path        string         `yaml:"path" json:"path,omitempty" jsonschema:"description=Path of a probe that is a GET without a body and wants a status of 200-399; default: the first request is repeated as it is"`
	Timeout     units.Duration `yaml:"timeout" json:"timeout,omitempty" jsonschema:"description=A probe whose whole answer is not there by then has failed,default=1s"`
	Connections string         `yaml:"connections" json:"connections,omitempty" jsonschema:"description=Connections of probes; uptime is that of new,enum=new,enum=reused,enum=both,default=new"`
	Off         bool           `yaml:"off" json:"off,omitempty" jsonschema:"description=No prober: the report has no uptime"`
}

package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/cluster/balance"
)

// Retry says when the proxy sends a request to another worker: an idempotent
// one whose body it has whole, and any that reached no worker.
type Retry struct {
	Attempts int      `yaml:"attempts" json:"attempts,omitempty" jsonschema:"description=Workers that are tried in all; 1 for no retry,minimum=1,default=2"`
	On       []string `yaml:"on" json:"on,omitempty" jsonschema:"description=What is tried again: connect and reset and timeout and 502 and 503 and 504; all by default,enum=connect,enum=reset,enum=timeout,enum=502,enum=503,enum=504"`
}

// Passive passes a worker over for FailTimeout after MaxFails requests failed
// within it, as nginx does.
type Passive struct {
	MaxFails    int            `yaml:"max_fails" json:"max_fails,omitempty" jsonschema:"description=Failed requests within fail_timeout,minimum=1,default=3"`
	FailTimeout units.Duration `yaml:"fail_timeout" json:"fail_timeout,omitempty" jsonschema:"description=Time in which failures count and for which a worker is passed over,default=10s"`
}

// Timeouts bound the phases of a request through the proxy.
type Timeouts struct {
	Header    units.Duration `yaml:"header" json:"header,omitempty" jsonschema:"description=For a client to send a request's header; with TLS also for its handshake,default=10s"`
	Connect   units.Duration `yaml:"connect" json:"connect,omitempty" jsonschema:"description=To connect to a worker,default=1s"`
	Answer    units.Duration `yaml:"answer" json:"answer,omitempty" jsonschema:"description=For a worker to begin to answer,default=30s"`
	Idle      units.Duration `yaml:"idle" json:"idle,omitempty" jsonschema:"description=Without a byte of a body from or to client or worker,default=60s"`
	KeepAlive units.Duration `yaml:"keep_alive" json:"keep_alive,omitempty" jsonschema:"description=For a client to keep a connection without a request,default=2m"`
	Tunnel    units.Duration `yaml:"tunnel" json:"tunnel,omitempty" jsonschema:"description=Without a byte in either direction of an upgraded connection such as a WebSocket,default=1h"`
}

// Limits bound what a client may send through the proxy; that of the header holds
// for workers that no proxy stands before as well.
type Limits struct {
	Header      units.Bytes `yaml:"header" json:"header,omitempty" jsonschema:"description=Size of a request's header; more is answered 431 (whatever the dispatch; not by programs of exec that accept themselves),default=16KiB"`
	Body        units.Bytes `yaml:"body" json:"body,omitempty" jsonschema:"description=Size of a request's body; more is answered 413,default=10MiB"`
	Connections int         `yaml:"connections" json:"connections,omitempty" jsonschema:"description=Connections of clients at once; more are answered 503; 0 for no limit,minimum=0,default=0"`
	Rate        units.Rate  `yaml:"rate" json:"rate,omitempty" jsonschema:"description=Requests of all clients together such as 500/s; more are answered 429; 0 for no limit,default=0"`
}

var retryCauses = []string{"connect", "reset", "timeout", "502", "503", "504"}

func (c *Config) setProxyDefaults() {
	setDefault(&c.Balance, "least-connections")
	setDefault(&c.Retry.Attempts, 2)
	if c.Retry.On == nil {
		c.Retry.On = slices.Clone(retryCauses)
	}
	setDefault(&c.Passive.MaxFails, 3)
	setDefault(&c.Passive.FailTimeout, units.Duration(10*time.Second))
	setDefault(&c.Timeouts.Header, units.Duration(10*time.Second))
	setDefault(&c.Timeouts.Connect, units.Duration(time.Second))
	setDefault(&c.Timeouts.Answer, units.Duration(30*time.Second))
	setDefault(&c.Timeouts.Idle, units.Duration(time.Minute))
	setDefault(&c.Timeouts.KeepAlive, units.Duration(2*time.Minute))
	setDefault(&c.Timeouts.Tunnel, units.Duration(time.Hour))
	setDefault(&c.Limits.Header, 16<<10)
	setDefault(&c.Limits.Body, 10<<20)
	c.setEdgeDefaults()
}

func (c *Config) checkProxy(report func(path, message string)) {
	if _, err := balance.New(c.Balance, 0); err != nil {
		report("balance", err.Error())
	}
	n := max(c.Workers.Number(), 0)
	if len(c.Weights) > n {
		report("weights", fmt.Sprintf("there are %d weights for %s", len(c.Weights), units.CountOf(int64(n), "worker")))
	}
	for i, w := range c.Weights {
		if w < 1 {
			report(fmt.Sprintf("weights[%d]", i), fmt.Sprintf("weight %d of worker %d is not 1 or more (a worker that is to get nothing can be a backup)", w, i+1))
		}
	}
	for i, slot := range c.Backup {
		if slot < 1 || slot > n {
			report(fmt.Sprintf("backup[%d]", i), fmt.Sprintf("there is no worker %d (they are 1 to %d)", slot, n))
		}
	}
	if c.Retry.Attempts < 1 {
		report("retry.attempts", "attempts is a number from 1, which means no retry")
	}
	if len(c.Retry.On) == 0 {
		report("retry.on", "on is empty (attempts: 1 means no retry; without on all causes are)")
	}
	for i, on := range c.Retry.On {
		if !slices.Contains(retryCauses, on) {
			report(fmt.Sprintf("retry.on[%d]", i), fmt.Sprintf("%q is not one of %s", on, strings.Join(retryCauses, ", ")))
		}
	}
	if c.Passive.MaxFails < 1 {
		report("passive.max_fails", "max_fails is a number from 1")
	}
	if c.SlowStart < 0 {
		report("slow_start", "the duration is negative")
	}
	for _, d := range []struct {
		path  string
		value units.Duration
	}{
		{"passive.fail_timeout", c.Passive.FailTimeout}, {"timeouts.header", c.Timeouts.Header}, {"timeouts.connect", c.Timeouts.Connect},
		{"timeouts.answer", c.Timeouts.Answer}, {"timeouts.idle", c.Timeouts.Idle},
		{"timeouts.keep_alive", c.Timeouts.KeepAlive}, {"timeouts.tunnel", c.Timeouts.Tunnel},
	} {
		if d.value <= 0 {
			report(d.path, "the duration must be longer than 0s")
		}
	}
	if c.Limits.Header < 8<<10 || c.Limits.Header > 1<<20 {
		report("limits.header", "header is a size from 8KiB to 1MiB")
	}
	if c.Limits.Body < 1 {
		report("limits.body", "body must be more than 0")
	}
	c.checkEdge(report)
}

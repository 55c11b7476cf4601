package cluster

import (
	"fmt"
	"runtime"
	"strconv"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app"
	"github.com/invopop/jsonschema"
)

// Config describes a reference cluster.
type Config struct {
	Workers      Workers        `yaml:"workers" json:"workers,omitzero" jsonschema:"description=Number of worker processes or max for one per processor,default=max"`
	Dispatch     string         `yaml:"dispatch" json:"dispatch,omitempty" jsonschema:"description=How connections reach workers (with exec it is proxy unless given),enum=handoff,enum=shared,enum=reuseport,enum=proxy,default=handoff"`
	Balance      string         `yaml:"balance" json:"balance,omitempty" jsonschema:"description=How the proxy chooses a worker,enum=round-robin,enum=weighted-round-robin,enum=least-connections,enum=least-response-time,enum=ip-hash,enum=random,enum=random-two,default=least-connections"`
	Weights      []int          `yaml:"weights" json:"weights,omitempty" jsonschema:"description=Weights of the workers by slot; 1 for those not listed (proxy)"`
	Backup       []int          `yaml:"backup" json:"backup,omitempty" jsonschema:"description=Slots that are used only when the others fail (proxy)"`
	SlowStart    units.Duration `yaml:"slow_start" json:"slow_start,omitempty" jsonschema:"description=Time over which a new worker's weight grows to all of it (proxy),default=0s"`
	Retry        Retry          `yaml:"retry" json:"retry,omitzero" jsonschema:"description=When a request is sent to another worker (proxy)"`
	Health       *Health        `yaml:"health" json:"health,omitempty" jsonschema:"description=Asks workers whether they are well and passes over who is not; off unless it is given (proxy)"`
	Sticky       *Sticky        `yaml:"sticky" json:"sticky,omitempty" jsonschema:"description=Sends a client's requests to the same worker; off unless it is given (proxy)"`
	TLS          *TLS           `yaml:"tls" json:"tls,omitempty" jsonschema:"description=Speaks TLS and HTTP/2 to clients; off unless it is given (proxy)"`
	Passive      Passive        `yaml:"passive" json:"passive,omitzero" jsonschema:"description=When a worker that fails requests is passed over (proxy)"`
	Timeouts     Timeouts       `yaml:"timeouts" json:"timeouts,omitzero" jsonschema:"description=How long each phase of a request may take (proxy)"`
	Limits       Limits         `yaml:"limits" json:"limits,omitzero" jsonschema:"description=How large a request may be and how many there may be (proxy)"`
	Queue        Queue          `yaml:"queue" json:"queue,omitzero" jsonschema:"description=The line in which connections wait for a worker (handoff)"`
	MaxInFlight  int            `yaml:"max_in_flight" json:"max_in_flight,omitempty" jsonschema:"description=Requests that a worker takes in at once; 0 for no limit beyond its free processor,minimum=0,default=0"`
	Threads      int            `yaml:"threads" json:"threads,omitempty" jsonschema:"description=Processors a worker uses at once (GOMAXPROCS),minimum=1,default=1"`
	App          app.Config     `yaml:"app" json:"app,omitzero" jsonschema:"description=The reference application that workers run"`
	Restart      Restart        `yaml:"restart" json:"restart,omitzero" jsonschema:"description=Whether and when a worker that ended is replaced"`
	Liveness     *Liveness      `yaml:"liveness" json:"liveness,omitempty" jsonschema:"description=Replaces a worker that hangs; off unless it is given"`
	ReadyTimeout units.Duration `yaml:"ready_timeout" json:"ready_timeout,omitempty" jsonschema:"description=A new worker that is not ready by then is ended,default=3s"`
	KillTimeout  units.Duration `yaml:"kill_timeout" json:"kill_timeout,omitempty" jsonschema:"description=A leaving worker that still has requests by then is ended,default=5s"`
	Drain        Drain          `yaml:"drain" json:"drain,omitzero" jsonschema:"description=How the cluster stops"`
	Reload       Reload         `yaml:"reload" json:"reload,omitzero" jsonschema:"description=How workers are replaced by new ones"`
	Broadcast    *Broadcast     `yaml:"broadcast" json:"broadcast,omitempty" jsonschema:"description=The master asks for the number of users and tells all workers; off unless it is given"`
	Standby      string         `yaml:"standby" json:"standby,omitempty" jsonschema:"description=Second process that goes on when the master dies: passive waits until then; active accepts beside it (handoff and proxy) (Linux),enum=none,enum=passive,enum=active,default=none"`
	Exec         []string       `yaml:"exec" json:"exec,omitempty" jsonschema:"description=Program and arguments to run as workers instead of the reference application (proxy and shared and reuseport)"`
	InstanceVar  string         `yaml:"instance_var" json:"instance_var,omitempty" jsonschema:"description=Environment variable that tells a worker its slot,default=INSTANCE_ID"`
	PortVar      string         `yaml:"port_var" json:"port_var,omitempty" jsonschema:"description=Environment variable that tells a worker the port it is to listen on,default=PORT"`
}

// Workers is a number of workers; 0 means one per processor ("max").
type Workers int

// Number returns how many workers that is on this machine.
func (w Workers) Number() int {
	if w == 0 {
		return runtime.NumCPU()
	}
	return int(w)
}

// UnmarshalText reads a positive number or "max".
func (w *Workers) UnmarshalText(b []byte) error {
	if string(b) == "max" {
		*w = 0
		return nil
	}
	n, err := strconv.Atoi(string(b))
	if err != nil || n < 1 || n > 1024 {
		return fmt.Errorf("%q is neither a number of workers from 1 to 1024 nor max", b)
	}
	*w = Workers(n)
	return nil
}

// MarshalText prints what [Workers.UnmarshalText] reads.
func (w Workers) MarshalText() ([]byte, error) {
	if w == 0 {
		return []byte("max"), nil
	}
	return strconv.AppendInt(nil, int64(w), 10), nil
}

// JSONSchema describes both forms.
func (Workers) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Minimum: "1", Maximum: "1024"}, {Const: "max"}}}
}

package app

import (
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app/protect"
)

// Config describes the reference application. Its zero value answers at once,
// never crashes and protects itself against nothing.
type Config struct {
	Work    units.Duration `yaml:"work" json:"work,omitempty" jsonschema:"description=Processor time that each request to / burns,default=0s"`
	Wait    units.Duration `yaml:"wait" json:"wait,omitempty" jsonschema:"description=Time that each request to / waits before it works: something slow that needs no processor,default=0s"`
	Start   units.Duration `yaml:"start" json:"start,omitempty" jsonschema:"description=Time that each process takes before it serves: an application that loads and connects first,default=0s"`
	Leak    units.Bytes    `yaml:"leak" json:"leak,omitempty" jsonschema:"description=Memory that each request to / takes and never gives back,default=0"`
	Slow    *Slow          `yaml:"slow" json:"slow,omitempty" jsonschema:"description=One worker of a cluster is slower than the others"`
	Crash   *Crash         `yaml:"crash" json:"crash,omitempty" jsonschema:"description=Each process ends itself after a random time"`
	Compute string         `yaml:"compute" json:"compute,omitempty" jsonschema:"description=Where /compute computes: in the request or in a child process,enum=inline,enum=child,default=inline"`
	Ready   string         `yaml:"ready" json:"ready,omitempty" jsonschema:"description=What /ready looks at: the process alone or its dependencies too,enum=shallow,enum=deep,default=shallow"`

	Sessions          string           `yaml:"sessions" json:"sessions,omitempty" jsonschema:"description=Where /login keeps who is logged in: in the process; the same with a cookie that names the worker; in Redis,enum=memory,enum=sticky,enum=redis,default=memory"`
	DependencyTimeout units.Duration   `yaml:"dependency_timeout" json:"dependency_timeout,omitempty" jsonschema:"description=Longest time for one call to a dependency (left out: none)"`
	Pool              *protect.Pool    `yaml:"pool" json:"pool,omitempty" jsonschema:"description=Bound of the connections to each dependency (left out: none)"`
	Retry             *protect.Retry   `yaml:"retry" json:"retry,omitempty" jsonschema:"description=Call a dependency again that failed (left out: never)"`
	Breaker           *protect.Breaker `yaml:"breaker" json:"breaker,omitempty" jsonschema:"description=Circuit breaker of each dependency: stop calling one that fails (left out: none)"`
	Fallback          string           `yaml:"fallback" json:"fallback,omitempty" jsonschema:"description=What a read answers whose dependency fails: the last good answer; a fixed one; an error,enum=stale,enum=default,enum=none,default=none"`
	Cache             *Cache           `yaml:"cache" json:"cache,omitempty" jsonschema:"description=Caches of /cached (left out: each request asks the database)"`
}

// Crash lets each process end itself after a time drawn uniformly from 0 to
// After, replacements too.
type Crash struct {
	After units.Duration `yaml:"after" json:"after" jsonschema:"required,description=Upper end of the random lifetime"`
	Code  *int           `yaml:"code" json:"code,omitempty" jsonschema:"description=Exit code,minimum=0,maximum=255,default=1"`
}

// Cache keeps what /cached read from the database.
type Cache struct {
	LocalTTL     units.Duration `yaml:"local_ttl" json:"local_ttl,omitempty" jsonschema:"description=How long each process keeps an answer in memory (left out: not at all)"`
	TTL          units.Duration `yaml:"ttl" json:"ttl,omitempty" jsonschema:"description=How long Redis keeps an answer (left out: not at all)"`
	SingleFlight bool           `yaml:"single_flight" json:"single_flight,omitempty" jsonschema:"description=Whether of several requests for the same key only one asks further,default=false"`
}

// Slow lets the worker in one slot wait longer than the others with each
// request to /: one whose machine is worse, or shared.
type Slow struct {
	Worker int            `yaml:"worker" json:"worker" jsonschema:"required,description=Slot of the worker from 1,minimum=1"`
	Wait   units.Duration `yaml:"wait" json:"wait" jsonschema:"required,description=Time that each request to / waits there in addition"`
}

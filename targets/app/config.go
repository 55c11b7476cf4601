package app

import "github.com/hachaos/hachaos/reports/units"

// Config describes the reference application. Its zero value answers at once
// and never crashes.
type Config struct {
	Work  units.Duration `yaml:"work" json:"work,omitempty" jsonschema:"description=Processor time that each request to / burns,default=0s"`
	Wait  units.Duration `yaml:"wait" json:"wait,omitempty" jsonschema:"description=Time that each request to / waits before it works: something slow that needs no processor,default=0s"`
	Start units.Duration `yaml:"start" json:"start,omitempty" jsonschema:"description=Time that each process takes before it serves: an application that loads and connects first,default=0s"`
	Crash *Crash         `yaml:"crash" json:"crash,omitempty" jsonschema:"description=Each process ends itself after a random time"`
}

// Crash lets each process end itself after a time drawn uniformly from 0 to
// After, replacements too.
type Crash struct {
	After units.Duration `yaml:"after" json:"after" jsonschema:"required,description=Upper end of the random lifetime"`
	Code  *int           `yaml:"code" json:"code,omitempty" jsonschema:"description=Exit code,minimum=0,maximum=255,default=1"`
}

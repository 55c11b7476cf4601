package targets

import "github.com/hachaos/hachaos/targets/app"

// SingleConfig describes the reference application as one process.
type SingleConfig struct {
	App     app.Config `yaml:"app" json:"app,omitzero" jsonschema:"description=The reference application"`
	Threads int        `yaml:"threads" json:"threads,omitempty" jsonschema:"description=Processors it uses at once (GOMAXPROCS),minimum=1,default=1"`
	Restart string     `yaml:"restart" json:"restart,omitempty" jsonschema:"description=Whether a plain supervisor starts it again,enum=never,enum=on-failure,default=never"`
}

// CommandConfig describes any program as a target.
type CommandConfig struct {
	Run    []string          `yaml:"run" json:"run" jsonschema:"required,description=Program and arguments; no shell is involved"`
	Env    map[string]string `yaml:"env" json:"env,omitempty" jsonschema:"description=Environment variables added to hachaos's own"`
	Dir    string            `yaml:"dir" json:"dir,omitempty" jsonschema:"description=Working directory; relative to the scenario's file"`
	URL    string            `yaml:"url" json:"url" jsonschema:"required,description=Where it answers: http://127.0.0.1:${port}/"`
	Reload *CommandReload    `yaml:"reload" json:"reload,omitempty" jsonschema:"description=How it reloads"`
}

// CommandReload says how a command reloads: by a signal to its first process,
// or by another command. Exactly one is set.
type CommandReload struct {
	Signal string   `yaml:"signal" json:"signal,omitempty" jsonschema:"description=Signal sent to its first process such as SIGUSR2"`
	Run    []string `yaml:"run" json:"run,omitempty" jsonschema:"description=Program and arguments; no shell is involved"`
}

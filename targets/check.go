package targets

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hachaos/hachaos/targets/proc"
)

// SetDefaults fills in what c leaves open.
func (c *SingleConfig) SetDefaults() {
	if c.Threads == 0 {
		c.Threads = 1
	}
	if c.Restart == "" {
		c.Restart = "never"
	}
	c.App.SetDefaults()
}

// Check reports what is wrong with c; path is that of a key in it, such as
// "app.work".
func (c *SingleConfig) Check(report func(path, message string)) {
	if c.Threads < 1 {
		report("threads", "threads is a number from 1")
	}
	if c.Restart != "never" && c.Restart != "on-failure" {
		report("restart", fmt.Sprintf("%q is not one of never and on-failure", c.Restart))
	}
	c.App.Check(func(path, message string) { report("app."+path, message) })
}

// SetDefaults fills in what c leaves open, which is nothing: a command has no
// defaults of its own.
func (c *CommandConfig) SetDefaults() {}

// Check reports what is wrong with c; path is that of a key in it, such as
// "reload.signal". Its URL is looked at once its templates are expanded, not
// here.
func (c *CommandConfig) Check(report func(path, message string)) {
	if len(c.Run) == 0 || c.Run[0] == "" {
		report("run", "run is empty: it needs a program")
	}
	if c.URL == "" {
		report("url", "url is empty: where does the command answer?")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		if !isEnvName(name) {
			report("env."+name, fmt.Sprintf("%q cannot be the name of an environment variable", name))
		}
	}
	if c.Reload != nil {
		c.Reload.check(report)
	}
}

func (r *CommandReload) check(report func(path, message string)) {
	switch {
	case r.Signal == "" && r.Run == nil:
		report("reload", "reload needs a signal or a command to run")
	case r.Signal != "" && r.Run != nil:
		report("reload.run", "reload takes a signal or a command to run, not both")
	case r.Signal != "":
		if _, err := proc.ParseSignal(r.Signal); err != nil {
			report("reload.signal", err.Error())
		}
	case len(r.Run) == 0 || r.Run[0] == "":
		report("reload.run", "run is empty: it needs a program")
	}
}

// isEnvName leaves out what the operating system cannot carry; a dot or a dash
// in a name is odd but works.
func isEnvName(name string) bool {
	for _, c := range name {
		if c == '=' || c == 0 {
			return false
		}
	}
	return name != ""
}

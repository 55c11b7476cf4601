package cluster

import (
	"errors"
	"fmt"
	"slices"
)

// SetDefaults fills in what c leaves open. Workers stays 0, one per processor.
func (c *Config) SetDefaults() {
	c.setExecDefaults()
	setDefault(&c.Dispatch, "handoff")
	setDefault(&c.Threads, 1)
	c.setManageDefaults()
	c.setQueueDefaults()
	c.setProxyDefaults()
	c.App.SetDefaults()
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns all that is wrong with c, its defaults filled in.
func (c Config) Validate() error {
	c.SetDefaults()
	var mistakes []error
	c.Check(func(path, message string) {
		mistakes = append(mistakes, fmt.Errorf("%s: %s", path, message))
	})
	return errors.Join(mistakes...)
}

// Check reports what is wrong with c; path is that of a key in it, such as
// "restart.backoff".
func (c *Config) Check(report func(path, message string)) {
	if c.Workers < 0 || c.Workers > 1024 {
		report("workers", "workers is a number from 1 to 1024 or max")
	}
	if !slices.Contains([]string{"handoff", "shared", "reuseport", "proxy"}, c.Dispatch) {
		report("dispatch", fmt.Sprintf("%q is not one of handoff, shared, reuseport and proxy", c.Dispatch))
	}
	if c.Threads < 1 {
		report("threads", "threads is a number from 1")
	}
	c.checkManage(report)
	c.checkExec(report)
	c.checkQueue(report)
	c.checkProxy(report)
	if s := c.App.Slow; s != nil && s.Worker > c.Workers.Number() {
		report("app.slow.worker", fmt.Sprintf("there is no worker %d (they are 1 to %d)", s.Worker, c.Workers.Number()))
	}
	c.App.Check(func(path, message string) { report("app."+path, message) })
}

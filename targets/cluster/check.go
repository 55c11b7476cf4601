package cluster

import (
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
	c.App.Check(func(path, message string) { report("app."+path, message) })
}

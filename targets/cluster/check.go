package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// SetDefaults fills in what c leaves open. Workers stays 0, one per processor.
func (c *Config) SetDefaults() {
	setDefault(&c.Dispatch, "handoff")
	setDefault(&c.Threads, 1)
	setDefault(&c.Restart.When, "on-failure")
	setDefault(&c.Restart.Backoff, units.Duration(100*time.Millisecond))
	setDefault(&c.Restart.MaxBackoff, units.Duration(15*time.Second))
	setDefault(&c.Restart.MinUptime, units.Duration(time.Second))
	setDefault(&c.ReadyTimeout, units.Duration(3*time.Second))
	setDefault(&c.KillTimeout, units.Duration(5*time.Second))
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
	if !slices.Contains([]string{"always", "on-failure", "never"}, c.Restart.When) {
		report("restart.when", fmt.Sprintf("%q is not one of always, on-failure and never", c.Restart.When))
	}
	for _, d := range []struct {
		path  string
		value units.Duration
	}{{"restart.backoff", c.Restart.Backoff}, {"restart.min_uptime", c.Restart.MinUptime}} {
		if d.value < 0 {
			report(d.path, "the duration is negative")
		}
	}
	if c.Restart.MaxBackoff < c.Restart.Backoff {
		report("restart.max_backoff", fmt.Sprintf("max_backoff %v is shorter than backoff %v", c.Restart.MaxBackoff, c.Restart.Backoff))
	}
	if c.ReadyTimeout <= 0 {
		report("ready_timeout", "ready_timeout must be longer than 0s")
	}
	if c.KillTimeout <= 0 {
		report("kill_timeout", "kill_timeout must be longer than 0s")
	}
	c.checkQueue(report)
	c.checkProxy(report)
	c.App.Check(func(path, message string) { report("app."+path, message) })
}

package cluster

import (
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// Queue bounds the line in which connections wait for a worker of handoff. Who
// finds it full, or has been in it for Timeout, is answered 503 with
// Retry-After. With max_in_flight it also bounds the line in each worker of
// requests on kept connections, whatever the dispatch.
type Queue struct {
	Size    int            `yaml:"size" json:"size,omitempty" jsonschema:"description=Connections that may wait,minimum=1,default=1024"`
	Timeout units.Duration `yaml:"timeout" json:"timeout,omitempty" jsonschema:"description=How long one may wait,default=5s"`
}

func (c *Config) setQueueDefaults() {
	setDefault(&c.Queue.Size, 1024)
	setDefault(&c.Queue.Timeout, units.Duration(5*time.Second))
}

func (c *Config) checkQueue(report func(path, message string)) {
	if c.Queue.Size < 1 {
		report("queue.size", "size is a number from 1")
	}
	if c.Queue.Timeout <= 0 {
		report("queue.timeout", "timeout must be longer than 0s")
	}
	if c.MaxInFlight < 0 {
		report("max_in_flight", "max_in_flight is a number from 0, which means no limit")
	}
}

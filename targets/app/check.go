package app

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// SetDefaults fills in what c leaves open.
func (c *Config) SetDefaults() {
	if c.Crash != nil && c.Crash.Code == nil {
		one := 1
		c.Crash.Code = &one
	}
	for _, s := range []struct {
		key *string
		to  string
	}{{&c.Compute, "inline"}, {&c.Ready, "shallow"}, {&c.Sessions, "memory"}, {&c.Fallback, "none"}} {
		if *s.key == "" {
			*s.key = s.to
		}
	}
	if c.Retry != nil {
		c.Retry.SetDefaults()
	}
	if c.Breaker != nil {
		c.Breaker.SetDefaults()
	}
}

// Check reports what is wrong with c; path is that of a key in it, such as
// "crash.after".
func (c *Config) Check(report func(path, message string)) {
	if s := c.Slow; s != nil {
		if s.Worker < 1 {
			report("slow.worker", "worker is the number of a slot from 1")
		}
		if s.Wait <= 0 {
			report("slow.wait", "wait must be longer than 0s")
		}
	}
	for _, d := range []struct {
		key string
		v   units.Duration
	}{{"work", c.Work}, {"wait", c.Wait}, {"start", c.Start}, {"dependency_timeout", c.DependencyTimeout}} {
		if d.v < 0 {
			report(d.key, d.key+" is negative")
		}
	}
	checkChoice(report, "compute", c.Compute, "inline", "child")
	checkChoice(report, "ready", c.Ready, "shallow", "deep")
	checkChoice(report, "sessions", c.Sessions, "memory", "sticky", "redis")
	checkChoice(report, "fallback", c.Fallback, "stale", "default", "none")
	if c.Crash != nil {
		c.Crash.check(beneath("crash", report))
	}
	if c.Pool != nil {
		c.Pool.Check(beneath("pool", report))
	}
	if c.Leak < 0 {
		report("leak", "leak is negative")
	}
	if c.Retry != nil {
		c.Retry.Check(beneath("retry", report))
	}
	if c.Breaker != nil {
		c.Breaker.Check(beneath("breaker", report))
	}
	if c.Cache != nil {
		c.Cache.check(beneath("cache", report))
	}
}

func beneath(key string, report func(path, message string)) func(path, message string) {
	return func(path, message string) { report(strings.TrimSuffix(key+"."+path, "."), message) }
}

func checkChoice(report func(path, message string), key, value string, choices ...string) {
	if !slices.Contains(choices, value) {
		last := len(choices) - 1
		report(key, fmt.Sprintf("%q is not one of %s and %s", value, strings.Join(choices[:last], ", "), choices[last]))
	}
}

func (c *Crash) check(report func(path, message string)) {
	if c.After <= 0 {
		report("after", "after must be longer than 0s")
	}
	if code := c.Code; code != nil && (*code < 0 || *code > 255) {
		report("code", "an exit code is a number from 0 to 255")
	}
}

func (c *Cache) check(report func(path, message string)) {
	if c.LocalTTL < 0 {
		report("local_ttl", "local_ttl is negative")
	}
	switch {
	case c.TTL < 0:
		report("ttl", "ttl is negative")
	case c.TTL > 0 && c.TTL.Std() < time.Millisecond:
		report("ttl", "ttl is below 1ms, the shortest time that Redis knows")
	}
	if *c == (Cache{}) {
		report("", "cache is empty: it needs local_ttl, ttl or single_flight (or leave it out)")
	}
}
